// SPDX-License-Identifier: Apache-2.0
// The close that loses nothing, in the only order that works: close_notify as the last record; wait
// until the ledger says that TCP has every byte; our FIN; the peer's FIN, bounded in time; join. A
// FIN that is sent before the backlog is empty overtakes it. A close before that discards it
// (net/tls/tls_sw.c: tls_sw_release_resources_tx tries once and frees the rest).
#include <utility>

#include "base/assert.hpp"
#include "conn/dispatch.hpp"
#include "conn/send_failure.hpp"
#include "conn/stream.hpp"
#include "tls/ktls.hpp"

namespace spliced::conn {
namespace {

// The peer's TCP is gone. It may have left as soon as it had its last response; then only our
// close_notify and FIN are missing. A peer that said close_notify may have left without an
// acknowledgement, but it cannot have received what TCP never took. `observed`: the ledger was read
// in this turn, before.
Ending ending_by_peer(Services& s, Connection& c, bool observed = false) {
  const tls::CipherSpec* cipher = c.tls.offloaded ? c.tls.cipher : c.tls.session->cipher();
  uint64_t farewell = 0, missing = 0, untaken = 0;
  if (c.closing.farewell_sent && cipher != nullptr) farewell = 2 + cipher->record_overhead_bytes();
  if (c.tls.offloaded) {
    if (!observed) observe(s, c);
    missing = c.pending.ledger.unacked();
    untaken = c.pending.ledger.pending_at_most();
  } else {
    os::TcpCounters tcp;
    (void)os::tcp_counters(c.socket, tcp);
    untaken = c.tls.session->unsent_bytes();
    missing = untaken + (tcp.accepted - tcp.acked);
    if (c.closing.fin_sent) farewell++;
  }
  const uint64_t decisive = c.closing.peer_done ? untaken : missing;
  return decisive <= farewell ? Ending::Drained : Ending::PeerGone;
}

// Reads and discards the peer's input, because unread input turns the close into a reset. Done:
// there may be more. Eof, Failed: the peer has ended, orderly or not.
os::Io discard_input(Services& s, Connection& c) {
  c.input.begin = c.input.end = 0;
  c.input.hold(s.buffers);
  for (int i = 0; c.edges.readable && i < limits::kDiscardsPerTurn; i++) {
    // A raw receive: the type of the records does not matter any more.
    const os::Received got = c.tls.offloaded
                                 ? os::receive_record(c.socket, c.input.data(), BufferPool::kBytes)
                                 : os::receive_plain(c.socket, c.input.data(), BufferPool::kBytes);
    if (got.io == os::Io::Failed && !peer_is_gone(c, got.error)) {
      // A record that cannot be read (EBADMSG and the like) says nothing about what the peer still
      // receives. Continue without reading.
      c.closing.deaf = true;
      return os::Io::WouldBlock;
    }
    if (got.io == os::Io::WouldBlock) c.edges.readable = false;
    if (got.io != os::Io::Done) return got.io;
  }
  return os::Io::Done;
}

// A cheap test with one system call instead of three, while it shows enough room. It leaves out
// what is in flight, so with half a window it leaves room for a whole piece. Frames of files go whole
// (h2/batch.cpp), whatever room they leave. After it has failed once, the next few tests are skipped.
bool bound_shows_room(Services& s, Connection& c, size_t more_bytes) {
  if (c.pending.bounds_to_skip > 0) {
    c.pending.bounds_to_skip--;
    return false;
  }
  c.pending.ledger.bound(os::tcp_accepted_at_least(c.socket));
  const uint64_t at_most = c.pending.ledger.pending_at_most();
  if (at_most < c.pending.reported) report_pending(s, c, at_most);
  const uint64_t window = s.options.pending_window_bytes;
  const bool is_batch = more_bytes > window / 2;
  if (at_most + more_bytes <= (is_batch ? window : window / 2)) return true;
  c.pending.bounds_to_skip = limits::kBoundsSkipped;
  return false;
}

}  // namespace

void observe(Services& s, Connection& c) {
  if (c.ops.sending) return;  // the ledger does not have yet what the ring has sent by now
  uint64_t sequence = 0;
  os::TcpCounters tcp;
  // The sequence comes first: see Ledger::observe.
  if (!tls::ktls::next_sequence(c.socket, tls::ktls::Direction::Transmit, *c.tls.cipher,
                                sequence) ||
      !os::tcp_counters(c.socket, tcp))
    return;
  if (tcp.closed) c.edges.peer_hung_up = true;
  const uint64_t accepted = tcp.accepted - (c.closing.fin_sent ? 1 : 0);
  const bool consistent = c.pending.ledger.observe(sequence, accepted, tcp.acked);
  if (!consistent && !tcp.closed) s.figures.ledger_contradictions.add();
  // With nothing in flight no acknowledgement will wake TCP or the TLS layer. Before 6.5 the TLS
  // layer passes the fragments of a record on with MSG_SENDPAGE_NOTLAST, and with a small send
  // buffer the last one may stay unpushed (seen on 6.1 with tcp_wmem at 4 KiB).
  if (tcp.unpushed || (tcp.idle && c.pending.ledger.pending() > 0)) {
    os::push_pending(c.socket);
    s.figures.pushes.add();
  }
  watch_cipher(s, c, tcp);
  // A reset empties TCP's queue: what then seems pending is not in the TLS layer.
  if (!tcp.closed) report_pending(s, c, c.pending.ledger.pending());
}

bool over_window(Services& s, Connection& c, size_t more_bytes) {
  const uint64_t window = s.options.pending_window_bytes;
  if (c.pending.ledger.pending_at_most() + more_bytes <= window) return false;
  if (bound_shows_room(s, c, more_bytes)) return false;
  observe(s, c);
  // The pending bytes of a peer that is gone will never decrease. The send that follows reports the
  // reason.
  if (c.edges.peer_hung_up || std::exchange(c.edges.socket_error, false)) return false;
  if (c.pending.ledger.pending() + more_bytes <= window) return false;
  s.asynchronous.set(tls::index_of(*c.tls.cipher));
  s.figures.pauses.add();
  c.times.lags = true;
  return true;
}

bool record_limit_reached(Services& s, Connection& c) {
  const uint64_t most = s.options.records_per_key_max;
  if (!c.tls.offloaded || c.pending.ledger.sequence_at_most() < most) return false;
  if (c.tls.secrets) {
    c.tls.key_update_due = true;
    return false;
  }
  observe(s, c);
  return c.pending.ledger.sequence_at_most() >= most;
}

void report_pending(Services& s, Connection& c, uint64_t bytes) {
  s.figures.pending_bytes.add(bytes - c.pending.reported);  // modulo 2^64, so it may decrease
  c.pending.reported = bytes;
  s.figures.pending_bytes_max.raise_to(bytes);
}

void begin_close(Services& s, Connection& c) {
  if (c.edges.read_short) c.edges.readable = true;
  c.closing.drain_began_ms = s.now_ms;
  enter(s, c, State::CloseNotify);
}

Turn close_notify(Services& s, Connection& c) {
  SPLICED_ASSERT(c.output.empty() && c.request.pipe_bytes == 0);
  if (!c.edges.writable) return Turn::Wait;
  const os::Moved moved = stream_farewell(s, c);
  if (moved.io == os::Io::WouldBlock) {
    s.tick(c);
    return Turn::Wait;
  }
  if (moved.io != os::Io::Done) {
    // EPIPE and the like: settle() finds out whether any of the responses is still here.
    if (!peer_is_gone(c, moved.error)) return give_up_sending(s, c, moved.error);
    c.edges.peer_hung_up = true;
  }
  enter(s, c, State::Settle);
  return Turn::Again;
}

Turn settle(Services& s, Connection& c) {
  bool settled = false, observed = false;
  if (c.tls.offloaded) {
    observe(s, c);
    observed = true;
    settled = c.pending.ledger.settled();
  } else {
    const os::Moved moved = c.tls.session->flush();
    if (moved.io == os::Io::Failed) c.edges.peer_hung_up = true;
    settled = c.tls.session->unsent_bytes() == 0;
    report_pending(s, c, c.tls.session->unsent_bytes());
  }
  if (c.edges.peer_hung_up) {
    abort(s, c, ending_by_peer(s, c, observed));
    return Turn::Again;
  }
  if (!settled) {
    s.tick(c);
    return Turn::Wait;
  }
  os::half_close(c.socket);
  c.closing.fin_sent = true;
  enter(s, c, State::Linger);
  return Turn::Again;
}

Turn linger(Services& s, Connection& c) {
  const os::Io peer =
      c.edges.readable && !c.closing.deaf ? discard_input(s, c) : os::Io::WouldBlock;
  if (peer == os::Io::Done) return Turn::Yield;
  if (peer == os::Io::WouldBlock) {
    // A connection that makes room for another does not wait for the peer's FIN either.
    if (!c.closing.deaf && !c.place.leaving) return Turn::Wait;
    // Unread input turns the close into a reset, so wait until the peer has everything.
    if (!c.edges.peer_hung_up && os::unacknowledged_bytes(c.socket) > 0) {
      s.tick(c);
      return Turn::Wait;
    }
  }
  // The peer has ended. After an ordinary close TCP sends what it still has.
  if (c.closing.ending == Ending::None)
    c.closing.ending =
        peer == os::Io::Failed || c.edges.peer_hung_up ? ending_by_peer(s, c) : Ending::Drained;
  enter(s, c, State::Join);
  return Turn::Again;
}

}  // namespace spliced::conn
