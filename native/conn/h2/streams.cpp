// SPDX-License-Identifier: Apache-2.0
// AwaitStreams and Streams: what came is given to the frames, what is ready of the streams is run,
// and what is to be sent goes out. Read streams() first.
#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "conn/file/file_body.hpp"
#include "conn/h2/mux.hpp"
#include "conn/input.hpp"
#include "conn/proxy/exchange.hpp"
#include "conn/transport.hpp"
#include "os/fd.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {
namespace {

uint64_t first_deadline(const Services& s, const Stream& st) {
  switch (st.state) {
    case State::Join:
      return 0;
    case State::ReadBody:
      return st.request.began_ms + s.options.request_timeout_ms;
    case State::Linger:
      return s.now_ms + s.options.linger_timeout_ms;
    default:
      return s.now_ms + s.options.stall_timeout_ms;
  }
}

// A file that the ring has opened for it, and that it will not take any more: between the
// completion and its turn a reset was read, or the connection ended.
void close_opened(Stream& st) {
  Request& r = st.request;
  if (st.state != State::OpenFile || !r.async_done || r.file) return;
  r.async_done = false;
  if (r.async_result >= 0) os::close_fd(r.async_result);
}

void release(Services& s, Stream& st) {
  Request& r = st.request;
  close_opened(st);
  release_exchange(s, r);
  r.upload.reset();
  r.file.reset();
  r.witness.reset();
  r.handed.reset();
  const bool empty = r.pipe_bytes == 0 && !r.filling && !r.async_done;
  if (r.pipe) s.pipes.give(std::move(r.pipe), empty);
  st.input.release(s.buffers);
  st.output.release(s.buffers);
}

void destroy(Services& s, Mux& m, Stream& st) {
  SPLICED_ASSERT(st.inflight == 0);
  if (const size_t held = st.body.size() + st.held_bytes) m.session->consume_for_others(held);
  if (!st.closed) {
    m.open--;
    s.figures.streams_open.sub();
  }
  release(s, st);
  const auto forget = [&](std::vector<Stream*>& list) {
    list.erase(std::remove(list.begin(), list.end(), &st), list.end());
  };
  forget(m.streams);
  forget(m.ready);
  forget(m.waiting);
  StreamSlot& place = s.stream_slots[st.slot];
  place.generation++;
  place.stream.reset();
  s.stream_slots.give(place);
}

bool is_sending(const Mux& m, const Stream& st) {
  if (m.sender == &st) return true;
  const Batch& b = m.batch;
  return std::any_of(b.frames, b.frames + b.count,
                     [&](const Batch::Frame& frame) { return frame.stream == &st; });
}

// Closed streams of which the ring holds nothing, and the wire either.
void sweep(Services& s, Mux& m) {
  for (size_t i = m.streams.size(); i-- > 0;) {
    Stream& st = *m.streams[i];
    if (st.closed && !write_rest(s, st.request) && st.inflight == 0 && !is_sending(m, st))
      destroy(s, m, st);
  }
}

// False: the state has changed. `more`: there may be more to read.
bool read_frames(Services& s, Connection& c, bool& more) {
  Mux& m = *c.h2;
  const State state = c.state;
  for (int reads = 0; c.edges.readable && !c.closing.peer_done && !m.terminated; reads++) {
    more = reads == limits::kReadsPerTurn;
    if (more) return true;
    Turn turn;
    const bool got = receive(s, c, turn);
    if (c.state != state) return false;
    if (!got && turn == Turn::Yield) continue;  // a record without data: bounded by receive()
    if (!got) break;
    const std::string_view bytes{c.input.data(), c.input.size()};
    m.follow(bytes);
    const h2::Taken taken = m.session->receive(bytes);
    c.input.begin = c.input.end = 0;
    if (taken == h2::Taken::Flooded) m.flood(Http2Flood::Answers);
    if (taken == h2::Taken::Broken) m.terminated = true;  // no HTTP/2 at all, or no memory
    if (taken != h2::Taken::All) break;
    if (c.edges.read_short) c.edges.readable = false;
  }
  c.input.release(s.buffers);
  return true;
}

// Of a client that has ended its side. Whoever has asked is answered; but what is missing of a
// request never comes, and nobody listens for events (RFC 9113 knows no half-closed connection).
bool is_in_vain(const Stream& st) {
  if (st.closed || st.state == State::Join) return false;
  const Exchange* x = st.request.exchange.get();
  if (x != nullptr) return !st.ended || x->event_stream;
  return !st.ended && (st.state == State::ReadBody || st.state == State::Receive);
}

// An upload keeps what has come, and another connection can go on with it at once.
void end_in_vain(Services& s, Connection& c) {
  if (!c.closing.peer_done) return;
  for (Stream* st : c.h2->streams) {
    if (!is_in_vain(*st)) continue;
    c.h2->session->reset(st->id, h2::Code::Cancel);
    enter(s, *st, State::Join);
  }
}

void run_ready(Services& s, Mux& m) {
  for (int i = 0; i < limits::kPumpsPerTurn && !m.ready.empty(); i++) {
    std::vector<Stream*> now = std::exchange(m.ready, {});
    for (Stream* st : now) {
      st->queued = false;
      if (!st->closed) run_stream(s, *st);
    }
  }
}

// A stop, or the end of the client's requests: it hears of it, and its streams end.
void end_if_due(Services& s, Connection& c) {
  Mux& m = *c.h2;
  if (m.going_away || m.terminated || (!s.stopping && !c.place.leaving)) return;
  const bool idle = m.open == 0;
  if (c.place.leaving || (idle && c.served)) return m.end_gracefully();
  if (idle) return;  // its first request may be on the way: deadline
  if (m.end_announced_ms == 0) {
    m.session->announce_end();
    m.end_announced_ms = s.now_ms;
    for (Stream* st : m.streams)  // event streams and uploads end
      if (st->request.exchange || st->request.upload) m.queue(*st);
  } else if (s.now_ms - m.end_announced_ms >= limits::kGoAwayGraceMs) {
    m.end_gracefully();
  }
}

bool is_over(const Connection& c) {
  const Mux& m = *c.h2;
  if (m.has_unsent()) return false;
  if (m.terminated || !m.session->wants_to_read()) return true;
  return m.open == 0 && (m.going_away || c.closing.peer_done);
}

Turn settle_state(Services& s, Connection& c, bool more) {
  Mux& m = *c.h2;
  if (c.edges.peer_hung_up) {
    abort(s, c, Ending::PeerGone);
    return Turn::Again;
  }
  if (is_over(c)) {
    begin_close(s, c);
    return Turn::Again;
  }
  const State next = m.open > 0 ? State::Streams : State::AwaitStreams;
  if (c.state != next) {
    const bool writable = c.edges.writable;
    enter(s, c, next);
    c.edges.writable = writable;
  }
  arm_http2(s, c);
  if (more || !m.ready.empty()) return Turn::Yield;
  watch_last_response(s, c);
  return Turn::Wait;
}

Turn step(Services& s, Stream& st) {
  switch (st.state) {
    case State::ReadHead:
    case State::ReadBody:
      begin_stream(s, st);
      return st.state == State::Respond ? Turn::Again : Turn::Wait;
    case State::OpenFile:
      return open_file(s, st.request);
    case State::Connect:
      return connect_to_upstream(s, st.request);
    case State::Exchange:
      return exchange(s, st.request);
    case State::Tunnel:
      return tunnel(s, st.request);
    case State::Receive:
      return receive_upload(s, st.request);
    case State::Respond:
      submit_response(s, st);
      return Turn::Wait;
    case State::Splice:
      st.request.connection->h2->wake(st);
      return Turn::Wait;
    default:
      return Turn::Wait;
  }
}

// Only there can a WebSocket be opened (RFC 8441 3).
bool has_proxy_route(const Services& s) {
  for (const http::Route& route : s.site->site->routes.all())
    if (route.action == http::Action::Proxy) return true;
  return false;
}

}  // namespace

void queue_stream(Stream& st) {
  st.request.connection->h2->queue(st);
}

// What is left of it is in the output, or nothing but its end.
Turn finish_stream_response(Services& s, Stream& st) {
  enter(s, st, State::Splice);
  return Turn::Again;
}

void EndMux::operator()(Mux* mux) const {
  delete mux;
}

void enter(Services& s, Stream& st, State next) {
  if (next == State::Join) close_opened(st);
  st.state = next;
  st.deadline_ms = first_deadline(s, st);
  st.marked_ms = s.now_ms;
  st.marked_bytes = st.sent_bytes;
}

void abort(Services& s, Stream& st) {
  if (st.state == State::Join) return;
  st.request.connection->h2->session->reset(st.id, h2::Code::InternalError);
  enter(s, st, State::Join);
}

void cancel(Services& s, Stream& st) {
  st.request.connection->h2->session->reset(st.id, h2::Code::Cancel);
  enter(s, st, State::Join);
}

ring::Token token_of(const Stream& st, ring::Kind kind) {
  return {kind, limits::kFirstStreamSlot + st.slot, st.generation};
}

void Mux::queue(Stream& st) {
  if (std::exchange(st.queued, true)) return;
  ready.push_back(&st);
}

void Mux::wake(Stream& st) {
  if (std::exchange(st.waits, false) && !st.closed) session->resume(st.id);
}

void Mux::end_gracefully() {
  if (going_away || terminated) return;
  going_away = true;
  session->go_away();
}

void begin_http2(Services& s, Connection& c, std::unique_ptr<const tls::ServedName> name) {
  c.h2.reset(new Mux(s, c, std::move(name)));
  h2::Settings settings;
  settings.streams_max = s.options.streams_max;
  settings.header_list_bytes_max =
      static_cast<uint32_t>(s.options.head.head_bytes_max + 32 * s.options.head.fields_max);
  settings.sent_header_block_bytes_max = limits::kSentHeaderBlockBytesMax;
  settings.stream_window_bytes = limits::kStreamWindowBytes;
  settings.connection_window_bytes = limits::kConnectionWindowBytes;
  settings.answers_max = limits::kFrameAnswersMax;
  settings.connect_protocol = has_proxy_route(s);
  c.h2->early = EarlyRecords(os::round_trip_us(c.socket));
  c.h2->session = h2::Session::start(*c.h2, settings);
  if (c.h2->session == nullptr) return abort(s, c, Ending::NotServed);
  s.figures.http2_connections.add();
  enter(s, c, State::AwaitStreams);
}

bool write_streams_rest(Services& s, Mux& m) {
  bool writes = false;
  for (Stream* st : m.streams) writes |= write_rest(s, st->request);
  return writes;
}

void destroy_streams(Services& s, Mux& m) {
  m.sender = nullptr;
  end_batch(s, m);
  while (!m.streams.empty()) destroy(s, m, *m.streams.back());
}

void run_stream(Services& s, Stream& st) {
  st.ticks = false;
  Turn turn = Turn::Again;
  for (int i = 0; turn == Turn::Again && i < limits::kStepsPerTurn; i++) turn = step(s, st);
  if (turn != Turn::Wait) st.request.connection->h2->queue(st);
}

Turn streams(Services& s, Connection& c) {
  Mux& m = *c.h2;
  bool more = false, unfinished = false;
  if (!read_frames(s, c, more)) return Turn::Again;
  end_in_vain(s, c);
  run_ready(s, m);
  begin_waiting(s, m);
  end_if_due(s, c);
  if (!send_frames(s, c, unfinished)) return Turn::Again;
  sweep(s, m);
  const size_t waiting = m.waiting.size();
  begin_waiting(s, m);  // for buffers that were given back
  return settle_state(s, c, more || unfinished || m.waiting.size() != waiting);
}

// The ring has done something for a stream. Null: nobody waits for it.
Connection* on_stream_operation(Services& s, const ring::Completion& completion,
                                void (*take)(Request&, const ring::Completion&)) {
  const ring::Token token = completion.token;
  const uint32_t slot = token.slot - limits::kFirstStreamSlot;
  StreamSlot* place = slot < s.stream_slots.size() ? &s.stream_slots[slot] : nullptr;
  if (place == nullptr || !place->stream || place->generation != token.generation) return nullptr;
  Stream& st = *place->stream;
  Connection& c = *st.request.connection;
  SPLICED_ASSERT(st.inflight > 0 && c.ops.inflight > 0);
  st.inflight--;
  c.ops.inflight--;
  take(st.request, completion);
  c.h2->queue(st);
  return &c;
}

// A tick has come: whoever asked for one looks again.
void tick_streams(Connection& c) {
  for (Stream* st : c.h2->streams)
    if (std::exchange(st->ticks, false)) c.h2->queue(*st);
}

}  // namespace spliced::conn
