// SPDX-License-Identifier: Apache-2.0
// A WebSocket after its 101 (RFC 6455): bytes pass in both directions as they come. Frames are
// followed only to know where one ends, for the Close that a stop puts in.
#include <algorithm>
#include <cstring>

#include "conn/chunk.hpp"
#include "conn/dispatch.hpp"
#include "conn/exchange.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {
namespace {

// Both ends learn why, where no frame is cut for it.
void say_going_away(Services& s, Connection& c) {
  Exchange& x = *c.request.exchange;
  append_text(c.output, http::kGoingAway);
  if (x.upwards.may_insert() && c.input.empty())
    (void)os::send_bytes(upstream_of(s, c).socket, http::kGoingAwayMasked.data(),
                         http::kGoingAwayMasked.size(), /*more=*/false);
  x.response_over = true;
}

Flow down(Services& s, Connection& c) {
  Exchange& x = *c.request.exchange;
  const Flow sent = send_ready(s, c);
  if (sent != Flow::Moved) return sent;
  if (x.response_over) {
    c.request.keep_alive = false;
    release_exchange(s, c);
    (void)finish_response(s, c);
    return Flow::Ended;
  }
  c.output.hold(s.buffers);
  Upstream& u = upstream_of(s, c);
  size_t bytes = 0;
  if (!x.from_upstream.empty()) {
    bytes = std::min(x.from_upstream.size(), c.output.room());
    std::memcpy(c.output.tail(), x.from_upstream.data(), bytes);
    x.from_upstream.begin += bytes;
  } else if (s.stopping && x.downwards.may_insert()) {
    say_going_away(s, c);
    return Flow::Moved;
  } else {
    x.from_upstream.release(s.buffers);
    const os::Received got = u.readable
                                 ? os::receive_plain(u.socket, c.output.tail(), c.output.room())
                                 : os::Received{os::Io::WouldBlock, {}, 0, 0};
    if (got.io == os::Io::WouldBlock) {
      u.readable = false;
      c.output.release(s.buffers);
      return Flow::Blocked;
    }
    if (got.io != os::Io::Done) {  // its end; what it has said before is with the client
      x.response_over = true;
      return Flow::Moved;
    }
    bytes = got.bytes;
  }
  x.downwards.pass({c.output.tail(), bytes});
  c.output.end += bytes;
  x.heard_ms = s.now_ms;
  return Flow::Moved;
}

Flow up(Services& s, Connection& c) {
  Exchange& x = *c.request.exchange;
  if (x.response_over) return Flow::Blocked;
  Upstream& u = upstream_of(s, c);
  if (c.input.empty()) {
    if (c.peer_done || c.peer_hung_up) {
      x.response_over = true;
      return Flow::Moved;
    }
    const Flow flow = receive_more(s, c);
    if (flow == Flow::Blocked) c.input.release(s.buffers);
    return flow;
  }
  if (!u.writable) return Flow::Blocked;
  const os::Moved moved = os::send_bytes(u.socket, c.input.data(), c.input.size(), /*more=*/false);
  if (moved.io == os::Io::WouldBlock) {
    u.writable = false;
    return Flow::Blocked;
  }
  if (moved.io != os::Io::Done) {
    x.response_over = true;
    return Flow::Moved;
  }
  x.upwards.pass({c.input.data(), moved.bytes});
  c.input.begin += moved.bytes;
  x.heard_ms = s.now_ms;
  return Flow::Moved;
}

}  // namespace

void begin_tunnel(Services& s, Connection& c) {
  Exchange& x = *c.request.exchange;
  x.tunnel = x.head_done = true;
  x.to_upstream.release(s.buffers);
  c.served = true;
  c.request.keep_alive = false;
  s.figures.websockets.add();
  s.figures.websockets_ever.add();
  enter(s, c, State::Tunnel);
  arm_exchange(s, c);
}

Turn tunnel(Services& s, Connection& c) {
  for (int i = 0; i < limits::kPumpsPerTurn; i++) {
    const Flow upwards = up(s, c);
    if (upwards == Flow::Ended) return Turn::Again;
    const Flow downwards = down(s, c);
    if (downwards == Flow::Ended) return Turn::Again;
    if (upwards == Flow::Blocked && downwards == Flow::Blocked) return Turn::Wait;
  }
  return Turn::Yield;
}

}  // namespace spliced::conn
