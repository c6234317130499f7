// SPDX-License-Identifier: Apache-2.0
// Discards the body of a backend's answer that is not relayed: one that names a file
// (hand_over.cpp), or one that lets a request pass (check.cpp).
#pragma once
#include "conn/proxy/exchange.hpp"

namespace spliced::conn {

// Removes the answer's head from from_upstream, then reads and discards its body as far as it has
// arrived, up to limits::kDroppedBodyBytesMax. If that was all, the connection can be used again.
// Otherwise it ends with the exchange. Views of the head are invalid afterwards. `asked`: the
// method of the request.
void drop_body(Services& s, Request& r, size_t head_bytes, const http::UpstreamHead& parsed,
               http::Method asked);

}  // namespace spliced::conn
