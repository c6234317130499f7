// SPDX-License-Identifier: Apache-2.0
// Read this first: the table of edges, the loop that runs a connection until it must wait, and the
// ways in which something brings it back.
#include "conn/dispatch.hpp"

#include <poll.h>

#include <algorithm>

#include "base/assert.hpp"
#include "conn/stream.hpp"
#include "conn/transport.hpp"
#include "os/fd.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {
namespace {

constexpr uint32_t bit(State state) {
  return 1u << static_cast<unsigned>(state);
}

// From (row) to (bits). Every state may end in Join: that is an abort.
constexpr uint32_t kEdges[kStates] = {
    /* Free        */ bit(State::Handshake),
    /* Handshake   */ bit(State::ReadHead) | bit(State::AwaitStreams) | bit(State::Linger) |
        bit(State::Join),
    /* ReadHead    */ bit(State::ReadBody) | bit(State::Receive) | bit(State::OpenFile) |
        bit(State::Respond) | bit(State::Connect) | bit(State::Exchange) | bit(State::CloseNotify) |
        bit(State::Join),
    /* ReadBody    */ bit(State::OpenFile) | bit(State::Respond) | bit(State::CloseNotify) |
        bit(State::Join),
    /* AwaitStreams */ bit(State::Streams) | bit(State::CloseNotify) | bit(State::Join),
    /* Streams     */ bit(State::AwaitStreams) | bit(State::CloseNotify) | bit(State::Join),
    /* Receive     */ bit(State::Respond) | bit(State::CloseNotify) | bit(State::Join),
    /* OpenFile    */ bit(State::Respond) | bit(State::Join),
    /* Connect     */ bit(State::Connect) | bit(State::Exchange) | bit(State::OpenFile) |
        bit(State::Respond) | bit(State::Join),
    /* Exchange    */ bit(State::Connect) | bit(State::Exchange) | bit(State::Tunnel) |
        bit(State::OpenFile) | bit(State::Respond) | bit(State::ReadHead) |
        bit(State::CloseNotify) | bit(State::Join),
    /* Tunnel      */ bit(State::CloseNotify) | bit(State::Join),
    /* Respond     */ bit(State::Splice) | bit(State::ReadHead) | bit(State::CloseNotify) |
        bit(State::Join),
    /* Splice      */ bit(State::Respond) | bit(State::ReadHead) | bit(State::CloseNotify) |
        bit(State::Join),
    /* CloseNotify */ bit(State::Settle) | bit(State::Join),
    /* Settle      */ bit(State::Linger) | bit(State::Join),
    /* Linger      */ bit(State::Join),
    /* Join        */ bit(State::Free),
};

Turn step(Services& s, Connection& c) {
  switch (c.state) {
    case State::Handshake:
      return handshake(s, c);
    case State::ReadHead:
      return read_head(s, c);
    case State::ReadBody:
      return read_body(s, c);
    case State::AwaitStreams:
    case State::Streams:
      return streams(s, c);
    case State::Receive:
      return receive_upload(s, c.request);
    case State::OpenFile:
      return open_file(s, c.request);
    case State::Connect:
      return connect_to_upstream(s, c.request);
    case State::Exchange:
      return exchange(s, c.request);
    case State::Tunnel:
      return tunnel(s, c.request);
    case State::Respond:
      return respond(s, c);
    case State::Splice:
      return splice(s, c.request);
    case State::CloseNotify:
      return close_notify(s, c);
    case State::Settle:
      return settle(s, c);
    case State::Linger:
      return linger(s, c);
    case State::Join:
      return join(s, c);
    case State::Free:
      break;
  }
  return Turn::Wait;
}

// Until when the peer must have acknowledged something of what is sent. One that had to be waited
// for is measured on, over the responses that follow, until it has acknowledged all: else it could
// hold its place for ever with many small ones, each of them taken in time.
uint64_t stall_deadline(const Services& s, Connection& c) {
  if (c.times.lags && os::unacknowledged_bytes(c.socket) == 0) c.times.lags = false;
  if (!c.times.lags) {
    c.times.progress_ms = s.now_ms;
    c.times.stall_due_ms = s.now_ms + s.options.stall_timeout_ms;
  }
  return c.times.stall_due_ms;
}

uint64_t first_deadline(const Services& s, Connection& c) {
  const Options& o = s.options;
  switch (c.state) {
    case State::Handshake:
      return s.now_ms + o.handshake_timeout_ms;
    case State::ReadHead:
      return s.now_ms + o.idle_timeout_ms;
    case State::AwaitStreams:  // and arm_http2()
    case State::Streams:
      return s.now_ms + o.idle_timeout_ms;
    case State::ReadBody:
      return c.request.began_ms + o.request_timeout_ms;
    case State::Respond:
    case State::Splice:
      return stall_deadline(s, c);
    case State::Linger:
      c.times.progress_ms = s.now_ms;
      return s.now_ms + o.linger_timeout_ms;
    case State::OpenFile:  // the disk's time
      return s.now_ms + o.stall_timeout_ms;
    case State::Free:
    case State::Join:
      return 0;
    default:
      c.times.progress_ms = s.now_ms;
      return s.now_ms + o.stall_timeout_ms;
  }
}

// What the ring has done for a request.
void on_operation(Request& r, const ring::Completion& completion) {
  const ring::Kind kind = completion.token.kind;
  if (kind == ring::Kind::DrainPipe) return upload_written(r, completion.result);
  if (kind == ring::Kind::FillPipe) r.filling = false;
  if (kind == ring::Kind::OpenFile && state_of(r) != State::OpenFile && completion.result >= 0)
    os::close_fd(completion.result);  // the request was given up meanwhile
  r.async_result = completion.result;
  r.async_done = true;
}

void on_watch(Services& s, Connection& c, const ring::Completion& completion) {
  if (!completion.more) c.ops.watching = false;
  if (completion.result < 0) {
    // Our own cancel, or the ring could not watch: without readiness there is no way to go on.
    if (c.state != State::Join) abort(s, c, Ending::Aborted);
    return;
  }
  const int events = completion.result;
  if (events & (POLLIN | POLLRDHUP | POLLHUP | POLLERR)) {
    if (c.state == State::ReadHead && !c.edges.readable)
      c.edges.prompt =
          s.turn - c.edges.responded_turn <= 1 && s.now_ms - c.place.waiting_since_ms <= 1;
    c.edges.readable = true;
    c.edges.read_short = false;
  }
  if (events & (POLLRDHUP | POLLHUP)) c.edges.half_closed = true;
  if (events & (POLLOUT | POLLHUP | POLLERR)) c.edges.writable = true;
  // A reset raises both; POLLERR alone is the TLS layer's (net/tls/tls_sw.c: tls_err_abort), and
  // the peer may be as well as ever.
  if (events & POLLHUP) c.edges.peer_hung_up = true;
  if (events & POLLERR) c.edges.socket_error = true;
  if (!completion.more && c.state != State::Join) {
    s.ring.watch(c.socket, token_of(c, ring::Kind::Watch));
    c.ops.watching = true;
    c.ops.inflight++;
  }
}

}  // namespace

const char* const kStateNames[kStates] = {
    "free",    "handshake",    "read_head", "read_body", "await_streams", "streams",
    "receive", "open_file",    "connect",   "exchange",  "tunnel",        "respond",
    "splice",  "close_notify", "settle",    "linger",    "join"};

const char* const kOverdueNames[kOverdues] = {"handshake", "head", "idle", "request", "stall"};

const char* const kEndingNames[kEndings] = {"none", "drained", "aborted", "peer_gone",
                                            "not_served"};

ring::Token token_of(const Connection& c, ring::Kind kind) {
  return {kind, c.slot, c.generation};
}

void start_stall_clock(const Services& s, Connection& c) {
  (void)stall_deadline(s, c);
}

// A client that pipelines without end holds up nobody.
void run(Services& s, Connection& c) {
  // Others' responses do not wait for a signature, or for the cipher of a window.
  if (c.state == State::Handshake || c.state == State::Splice || c.state == State::Streams)
    s.ring.submit_sends();
  if (c.tls.session) c.tls.session->begin_turn(s.turn, s.now_ms);
  Turn turn = Turn::Again;
  for (int i = 0; turn == Turn::Again && i < limits::kStepsPerTurn; i++) turn = step(s, c);
  assert_invariants(c);
  if (turn == Turn::Wait || c.ready) return;
  s.ready.push_back(c.slot);
  c.ready = true;
}

void enter(Services& s, Connection& c, State next) {
  SPLICED_ASSERT(kEdges[static_cast<size_t>(c.state)] & bit(next));
  s.figures.by_state[static_cast<size_t>(c.state)].sub();
  s.figures.by_state[static_cast<size_t>(next)].add();
  if (c.state == State::Handshake && c.place.placed && !c.place.leaving)
    s.occupancy.end_handshake(s.share, c.place.client_key);
  if (WaitingList::has(c.state)) s.waiting.remove(c);
  c.state = next;
  if (WaitingList::has(next)) s.waiting.append(c);
  s.share.waiting.store(s.waiting.size(), std::memory_order_relaxed);
  c.place.waiting_since_ms = s.now_ms;
  c.times.tick_interval_ms = 0;
  c.times.tick_due_ms = 0;
  c.edges.writable = true;  // until the socket says otherwise
  s.set_deadline(c, first_deadline(s, c));
}

void on_completion(Services& s, const ring::Completion& completion) {
  const ring::Token token = completion.token;
  if (token.kind == ring::Kind::Upstream) {
    Request* owner = on_upstream_completion(s, completion);
    if (owner == nullptr) return;
    if (owner->stream != nullptr) queue_stream(*owner->stream);
    return run(s, *owner->connection);
  }
  if (token.slot >= limits::kFirstStreamSlot) {
    if (Connection* owner = on_stream_operation(s, completion, on_operation)) return run(s, *owner);
    s.figures.stale_completions.add();
    if (token.kind == ring::Kind::OpenFile && completion.result >= 0)
      os::close_fd(completion.result);
    return;
  }
  Connection* c = token.slot < s.slots.size() ? &s.slots[token.slot] : nullptr;
  if (c == nullptr || c->state == State::Free || c->generation != token.generation) {
    s.figures.stale_completions.add();
    if (token.kind == ring::Kind::OpenFile && completion.result >= 0)
      os::close_fd(completion.result);
    return;
  }
  if (!completion.more) {
    SPLICED_ASSERT(c->ops.inflight > 0);
    c->ops.inflight--;
  }
  if (token.kind == ring::Kind::Watch) {
    on_watch(s, *c, completion);
  } else if (token.kind == ring::Kind::Send) {
    c->ops.sending = false;
    c->ops.send_result = completion.result;
    c->ops.send_done = true;
    if (c->state == State::Join) (void)stream_sent(s, *c);
  } else {
    on_operation(c->request, completion);
  }
  run(s, *c);
}

void run_ready(Services& s) {
  std::vector<uint32_t> turn;
  turn.swap(s.ready);
  for (uint32_t slot : turn) {
    s.slots[slot].ready = false;
    run(s, s.slots[slot]);
  }
}

void run_ticks(Services& s) {
  std::vector<uint32_t> turn;
  turn.swap(s.ticking);
  for (uint32_t slot : turn) {
    Connection& c = s.slots[slot];
    if (c.times.tick_due_ms == 0) {
      c.times.ticking = false;  // the state that asked is over
    } else if (c.times.tick_due_ms > s.now_ms) {
      s.ticking.push_back(slot);
    } else {
      c.times.ticking = false;
      c.times.tick_due_ms = 0;
      c.edges.writable = true;  // POLLOUT is TCP's alone, and a hint
      if (c.edges.read_short) c.edges.readable = true;
      if (c.tls.offloaded) observe(s, c);
      if (c.h2) tick_streams(c);
      run(s, c);
    }
  }
}

void run_deadlines(Services& s) {
  for (const auto& files : s.site->files) files->sweep(s.now_ms);
  s.mapped_windows.sweep(s.now_ms);
  sweep_upstreams(s);
  if (s.now_ms < s.next_deadline_ms) return;
  s.next_deadline_ms = UINT64_MAX;
  for (Connection& c : s.slots) {
    if (c.times.deadline_ms == 0) continue;
    if (c.times.deadline_ms <= s.now_ms) {
      on_deadline(s, c);
      run(s, c);
    }
    if (c.times.deadline_ms != 0 && c.times.deadline_ms < s.next_deadline_ms)
      s.next_deadline_ms = c.times.deadline_ms;
  }
}

void begin_stop(Services& s) {
  s.stopping = true;
  s.first_requests_until_ms = s.now_ms + limits::kFirstRequestMs;
  end_idle_upstreams(s);
  for (Connection& c : s.slots) {
    if (!c.served && c.times.deadline_ms != 0) s.set_deadline(c, c.times.deadline_ms);
    // A request that has arrived already is still answered: read_head looks, then closes.
    if (c.state == State::ReadHead || c.h2) c.edges.readable = true;
    if (c.state != State::Free) run(s, c);
  }
}

void abort_all(Services& s) {
  for (Connection& c : s.slots) {
    if (c.state == State::Free || c.state == State::Join) continue;
    const bool delivered = os::unacknowledged_bytes(c.socket) == 0;
    const bool reads =
        c.state == State::ReadHead || c.state == State::ReadBody || c.state == State::AwaitStreams;
    if (c.state == State::Handshake || (reads && !c.served)) {
      abort(s, c, Ending::NotServed);
    } else {
      abort(s, c, c.state == State::Linger && delivered ? Ending::Drained : Ending::Aborted);
    }
    run(s, c);
  }
}

int next_timeout_ms(const Services& s) {
  if (!s.ready.empty()) return 0;
  uint64_t due = std::min(s.next_deadline_ms, next_upstream_sweep_ms(s));
  for (const auto& files : s.site->files) due = std::min(due, files->next_sweep_ms());
  due = std::min(due, s.mapped_windows.next_sweep_ms());
  for (uint32_t slot : s.ticking) {
    const uint64_t tick = s.slots[slot].times.tick_due_ms;
    if (tick != 0 && tick < due) due = tick;
  }
  if (due == UINT64_MAX) return -1;
  return due <= s.now_ms ? 0 : static_cast<int>(due - s.now_ms < 60'000 ? due - s.now_ms : 60'000);
}

}  // namespace spliced::conn
