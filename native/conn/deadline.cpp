// SPDX-License-Identifier: Apache-2.0
// Handles states that have lasted too long. A peer whose TCP acknowledges at the least rate is
// slow, not gone: its deadline is extended. One that acknowledges less is reset and counted as
// aborted.
#include <algorithm>

#include "conn/dispatch.hpp"
#include "conn/proxy/exchange.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {
namespace {

// Whether the peer's TCP has acknowledged enough since the last look, at least one stall time-out
// ago: at least one byte, and the least rate. A client that reads byte by byte would hold a slot, a
// file and buffers for as long as it likes. The first judgement comes after the second time-out,
// because the first measures from the connection's begin. dispatch.cpp says when the measure starts
// anew.
bool keeps_up(Services& s, Connection& c) {
  const uint64_t elapsed_ms = s.now_ms - c.times.progress_ms;
  if (elapsed_ms < s.options.stall_timeout_ms) return true;
  os::TcpCounters tcp;
  if (!os::tcp_counters(c.socket, tcp) || tcp.closed) return false;
  const uint64_t acked = tcp.acked - c.times.acked_mark;
  // With a rate limit a client cannot acknowledge more than it is sent. Half of the limit, because
  // pacing has bursts and pauses.
  uint64_t least = s.options.send_rate_min_bytes_per_s;
  if (c.rate_max_bytes_per_s > 0) least = std::min(least, c.rate_max_bytes_per_s / 2);
  const uint64_t needed = elapsed_ms * least / 1000;
  c.times.acked_mark = tcp.acked;
  c.times.progress_ms = s.now_ms;
  return acked > 0 && acked >= needed;
}

void count(Services& s, Overdue clock) {
  s.figures.overdue[static_cast<size_t>(clock)].add();
}

bool drain_over(const Services& s, const Connection& c) {
  return c.closing.drain_began_ms != 0 &&
         s.now_ms - c.closing.drain_began_ms >= s.options.drain_timeout_ms;
}

void on_linger_deadline(Services& s, Connection& c) {
  const int unacknowledged = os::unacknowledged_bytes(c.socket);
  if (unacknowledged > 0) return extend_or_abort(s, c, s.options.linger_timeout_ms);
  // The peer's TCP has every byte, but the peer does not close: the time is over.
  if (c.closing.ending == Ending::None) c.closing.ending = Ending::Drained;
  enter(s, c, State::Join);
}

}  // namespace

void extend_or_abort(Services& s, Connection& c, uint32_t interval_ms) {
  const bool alive = keeps_up(s, c);
  if (!alive) count(s, Overdue::Stall);
  if (!alive || drain_over(s, c)) return abort(s, c, Ending::Aborted);
  c.times.stall_due_ms = s.now_ms + interval_ms;
  s.set_deadline(c, c.times.stall_due_ms);
}

void on_deadline(Services& s, Connection& c) {
  switch (c.state) {
    case State::Handshake:
      if (c.tls.signing) {
        end_signature(s, c, true);
        (void)fail_signature(s, c);
        return;
      }
      s.figures.handshake_failures[static_cast<size_t>(tls::HandshakeFailure::Timeout)].add();
      count(s, Overdue::Handshake);
      if (c.record) c.record->failure = "timeout";
      return abort(s, c, Ending::NotServed);
    case State::ReadHead:
    case State::ReadBody:
      count(s, c.state == State::ReadBody ? Overdue::Request
               : c.input.empty()          ? Overdue::Idle
                                          : Overdue::Head);
      c.input.release(s.buffers);
      return begin_close(s, c);
    case State::AwaitStreams:
    case State::Streams:
      return on_http2_deadline(s, c);
    case State::Linger:
      return on_linger_deadline(s, c);
    case State::Connect:
    case State::Exchange:
    case State::Tunnel:
      if (client_owes(c.request)) return extend_or_abort(s, c, s.options.stall_timeout_ms);
      return on_exchange_deadline(s, c.request);
    case State::Receive:
      return on_upload_deadline(s, c.request);
    case State::OpenFile:
      return abort(s, c, Ending::Aborted);
    case State::Respond:
    case State::Splice:
    case State::CloseNotify:
    case State::Settle:
      return extend_or_abort(s, c, s.options.stall_timeout_ms);
    case State::Free:
    case State::Join:
      c.times.deadline_ms = 0;
      return;
  }
}

}  // namespace spliced::conn
