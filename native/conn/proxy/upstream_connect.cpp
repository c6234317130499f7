// SPDX-License-Identifier: Apache-2.0
// Connects to a backend. A TCP socket reports when it is connected. A Unix socket whose backlog is
// full reports nothing, so it is tried again after a tick.
#include "conn/proxy/exchange.hpp"
#include "conn/transport.hpp"
#include "os/upstream_socket.hpp"

namespace spliced::conn {

Turn connect_to_upstream(Services& s, Request& r) {
  if (client_hung_up(r)) {
    abort(s, r, Ending::PeerGone);
    return Turn::Again;
  }
  Upstream& u = upstream_of(s, r);
  const os::Moved moved = os::connect_upstream(u.socket, u.address);
  watch_upstream(s, u);  // only now: before connect() a socket reports itself ready
  switch (moved.io) {
    case os::Io::Done:
      u.readable = u.writable = true;
      r.exchange->heard_ms = s.now_ms;
      enter(s, r, State::Exchange);
      arm_exchange(s, r);
      return Turn::Again;
    case os::Io::WouldBlock:
      tick(s, r);
      return Turn::Wait;
    default:
      fail_exchange(s, r, UpstreamFailure::Refused);
      return Turn::Again;
  }
}

}  // namespace spliced::conn
