// SPDX-License-Identifier: Apache-2.0
// A backend is being connected to. TCP's socket says when it is; a Unix socket whose backlog is
// full says nothing, so it is asked again after a tick.
#include "conn/request/exchange.hpp"
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
  watch_upstream(s, u);  // before connect() a socket is ready for everything
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
