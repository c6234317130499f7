// SPDX-License-Identifier: Apache-2.0
// A WebSocket after its 101 (RFC 6455), or its 200 (RFC 8441): bytes pass in both directions as
// they arrive. Frames are followed only to find their ends, so that a stop can insert a Close.
#include <algorithm>
#include <cstring>

#include "conn/proxy/chunk.hpp"
#include "conn/proxy/exchange.hpp"
#include "conn/transport.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {
namespace {

// Sends a Close to both ends, if that does not cut a frame.
void say_going_away(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  append_text(output_of(r), http::kGoingAway);
  if (x.upwards.may_insert() && input_of(r).empty())
    (void)os::send_bytes(upstream_of(s, r).socket, http::kGoingAwayMasked.data(),
                         http::kGoingAwayMasked.size(), /*more=*/false);
  x.response_over = true;
}

Flow down(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  Span& output = output_of(r);
  const Flow sent = send_ready(s, r);
  if (sent != Flow::Moved) return sent;
  if (x.response_over) {
    r.keep_alive = false;
    release_exchange(s, r);
    (void)finish_response(s, r);
    return Flow::Ended;
  }
  output.hold(s.buffers);
  Upstream& u = upstream_of(s, r);
  size_t bytes = 0;
  if (!x.from_upstream.empty()) {
    bytes = std::min(x.from_upstream.size(), output.room());
    std::memcpy(output.tail(), x.from_upstream.data(), bytes);
    x.from_upstream.begin += bytes;
  } else if (s.stopping && x.downwards.may_insert()) {
    say_going_away(s, r);
    return Flow::Moved;
  } else {
    x.from_upstream.release(s.buffers);
    const os::Received got = u.readable ? os::receive_plain(u.socket, output.tail(), output.room())
                                        : os::Received{os::Io::WouldBlock, {}, 0, 0};
    if (got.io == os::Io::WouldBlock) {
      u.readable = false;
      output.release(s.buffers);
      return Flow::Blocked;
    }
    if (got.io != os::Io::Eof && got.io != os::Io::Done && r.stream != nullptr) {
      cancel(s, *r.stream);
      return Flow::Ended;
    }
    if (got.io != os::Io::Done) {  // the end of the stream; the client has all that came before
      x.response_over = true;
      return Flow::Moved;
    }
    bytes = got.bytes;
  }
  x.downwards.pass({output.tail(), bytes});
  output.end += bytes;
  x.heard_ms = s.now_ms;
  return Flow::Moved;
}

// The client has ended its side. Over HTTP/2, END_STREAM ends that side alone: the backend's
// answer, such as a Close, still goes to the client. Over HTTP/1.1 the client reads nothing more.
Flow end_upwards(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  if (r.stream == nullptr) {
    x.response_over = true;
    return Flow::Moved;
  }
  x.half_closed = true;
  os::half_close(upstream_of(s, r).socket);
  x.heard_ms = s.now_ms;
  arm_exchange(s, r);
  return Flow::Blocked;
}

// The backend accepts nothing more. Over HTTP/2 the client still gets what it has sent before.
Flow refuse_more(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  if (r.stream == nullptr)
    x.response_over = true;
  else
    x.half_closed = upstream_of(s, r).readable = true;
  return Flow::Moved;
}

Flow up(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  Span& input = input_of(r);
  if (x.response_over || x.half_closed) return Flow::Blocked;
  Upstream& u = upstream_of(s, r);
  if (input.empty()) {
    if (client_is_done(r)) return end_upwards(s, r);
    const Flow flow = receive_more(s, r);
    if (flow == Flow::Blocked) input.release(s.buffers);
    return flow;
  }
  if (!u.writable) return Flow::Blocked;
  const os::Moved moved = os::send_bytes(u.socket, input.data(), input.size(), /*more=*/false);
  if (moved.io == os::Io::WouldBlock) {
    u.writable = false;
    return Flow::Blocked;
  }
  if (moved.io != os::Io::Done) return refuse_more(s, r);
  x.upwards.pass({input.data(), moved.bytes});
  input.begin += moved.bytes;
  x.heard_ms = s.now_ms;
  return Flow::Moved;
}

}  // namespace

void begin_tunnel(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  x.tunnel = x.head_done = true;
  x.to_upstream.release(s.buffers);
  mark_served(r);
  set_rate(r, r.route->rate_max_bytes_per_s);
  if (!frames_bodies(r)) r.keep_alive = false;
  s.figures.websockets.add();
  s.figures.websockets_ever.add();
  enter(s, r, State::Tunnel);
  arm_exchange(s, r);
}

Turn tunnel(Services& s, Request& r) {
  for (int i = 0; i < limits::kPumpsPerTurn; i++) {
    const Flow upwards = up(s, r);
    if (upwards == Flow::Ended) return Turn::Again;
    const Flow downwards = down(s, r);
    if (downwards == Flow::Ended) return Turn::Again;
    if (upwards == Flow::Blocked && downwards == Flow::Blocked) return Turn::Wait;
  }
  return Turn::Yield;
}

}  // namespace spliced::conn
