// SPDX-License-Identifier: Apache-2.0
// Sends the response head, with a small body in the same record. Then comes the body's splice, the
// next request, or the drain.
#include <errno.h>

#include "conn/dispatch.hpp"
#include "conn/send_failure.hpp"
#include "conn/stream.hpp"

namespace spliced::conn {
namespace {

// Handles the result of sending a part of the output. Done: the state goes on.
Turn after_send(Services& s, Connection& c, const os::Moved& moved) {
  if (moved.io == os::Io::WouldBlock) {
    s.tick(c);
    return Turn::Wait;
  }
  if (moved.io != os::Io::Done) return give_up_sending(s, c, moved.error);
  if (!c.output.empty()) return Turn::Again;
  if (c.request.body_remaining == 0) return finish_response(s, c.request);
  enter(s, c, State::Splice);
  return Turn::Again;
}

}  // namespace

Turn respond(Services& s, Connection& c) {
  if (c.ops.sending) return Turn::Wait;
  if (c.ops.send_done) return after_send(s, c, stream_sent(s, c));
  if (!c.edges.writable) return Turn::Wait;
  const bool kept = sends_kept_body(c.request);
  const size_t of_body = kept ? static_cast<size_t>(c.request.body_remaining) : 0;
  if (c.tls.offloaded && over_window(s, c, c.output.size() + of_body)) {
    s.tick(c);
    return Turn::Wait;
  }
  if (kept) return after_send(s, c, stream_send_kept_body(s, c.request));
  const bool more = c.request.body_remaining > 0;
  if (!c.tls.offloaded || more) return after_send(s, c, stream_send_output(s, c, more));
  stream_queue_output(s, c);
  return Turn::Again;
}

Turn finish_response(Services& s, Request& r) {
  if (r.stream != nullptr) return finish_stream_response(s, *r.stream);
  Connection& c = *r.connection;
  r.file.reset();
  r.witness.reset();
  r.handed.reset();
  if (r.pipe) s.pipes.give(std::move(r.pipe), r.pipe_bytes == 0);
  const bool limit = record_limit_reached(s, c);
  if (limit) s.figures.record_limit_closes.add();
  if (limit || !r.keep_alive) {
    begin_close(s, c);
  } else {
    enter(s, c, State::ReadHead);
    c.edges.readable = c.edges.prompt || !c.edges.read_short || !c.input.empty() || s.stopping;
    c.edges.responded_turn = s.turn;
    if (!c.input.empty()) begin_head(s, c);
  }
  return Turn::Again;
}

bool peer_is_gone(const Connection& c, int error) {
  switch (error) {
    case EPIPE:
    case ECONNRESET:
    case ECONNABORTED:
    case ETIMEDOUT:
    case ENOTCONN:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return true;
    default:
      break;
  }
  os::TcpCounters tcp;
  return os::tcp_counters(c.socket, tcp) && tcp.closed;
}

Turn give_up_sending(Services& s, Connection& c, int error) {
  const bool gone = peer_is_gone(c, error);
  if (!gone && c.tls.offloaded) s.figures.encrypt_failures.add();
  abort(s, c, gone ? Ending::PeerGone : Ending::Aborted);
  return Turn::Again;
}

}  // namespace spliced::conn
