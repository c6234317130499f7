// SPDX-License-Identifier: Apache-2.0
// A backend's body that nobody wants: of an answer that names a file (hand_over.cpp), or only says
// that a request may pass (check.cpp).
#pragma once
#include "conn/request/exchange.hpp"

namespace spliced::conn {

// Takes the answer's head off from_upstream, and reads and forgets its body as far as it is here or
// comes without a wait, within limits::kDroppedBodyBytesMax: then the connection can be used again.
// Otherwise it ends with the exchange. No view of the head is good any more. `asked`: by which
// method.
void drop_body(Services& s, Request& r, size_t head_bytes, const http::UpstreamHead& parsed,
               http::Method asked);

}  // namespace spliced::conn
