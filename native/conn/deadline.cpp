// SPDX-License-Identifier: Apache-2.0
// What happens when a state has lasted too long. A peer whose TCP still acknowledges is slow, not
// gone: its deadline moves. One that acknowledges nothing is reset and counted as aborted.
#include "conn/dispatch.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {
namespace {

bool acknowledged_more(Services& s, Connection& c) {
  os::TcpCounters tcp;
  if (!os::tcp_counters(c.socket, tcp) || tcp.closed) return false;
  if (tcp.acked == c.acked_mark) return false;
  c.acked_mark = tcp.acked;
  c.progress_ms = s.now_ms;
  return true;
}

bool drain_over(const Services& s, const Connection& c) {
  return c.drain_began_ms != 0 && s.now_ms - c.drain_began_ms >= s.options.drain_timeout_ms;
}

void extend_or_abort(Services& s, Connection& c, uint32_t interval_ms) {
  const bool alive =
      acknowledged_more(s, c) || s.now_ms - c.progress_ms < s.options.stall_timeout_ms;
  if (!alive || drain_over(s, c)) return abort(s, c, Ending::Aborted);
  s.set_deadline(c, s.now_ms + interval_ms);
}

void on_linger_deadline(Services& s, Connection& c) {
  const int unacknowledged = os::unacknowledged_bytes(c.socket);
  if (unacknowledged > 0) return extend_or_abort(s, c, s.options.linger_timeout_ms);
  // The peer's TCP has everything and its owner does not say goodbye: enough.
  if (c.ending == Ending::None) c.ending = Ending::Drained;
  enter(s, c, State::Join);
}

}  // namespace

void on_deadline(Services& s, Connection& c) {
  switch (c.state) {
    case State::Handshake:
      s.figures.handshake_failures[static_cast<size_t>(tls::HandshakeFailure::Timeout)].add();
      if (c.record) c.record->failure = "timeout";
      return abort(s, c, Ending::NotServed);
    case State::ReadHead:
    case State::ReadBody:
      c.input.release(s.buffers);
      return begin_close(s, c);
    case State::Linger:
      return on_linger_deadline(s, c);
    case State::OpenFile:
      return abort(s, c, Ending::Aborted);
    case State::Respond:
    case State::Splice:
    case State::CloseNotify:
    case State::Settle:
      return extend_or_abort(s, c, s.options.stall_timeout_ms);
    case State::Free:
    case State::Join:
      c.deadline_ms = 0;
      return;
  }
}

}  // namespace spliced::conn
