// SPDX-License-Identifier: Apache-2.0
// Asks an application whether a request may be served (`authorize` of a route), by a request of its
// own without a body, which is sent as any exchange with a backend. 2xx lets the client's request
// pass to its route; 401, 403 and redirects become the client's response; anything else is 502,
// except for the service's own page and API, which have their own guard. Meanwhile the client's
// head stays in the input, and no byte of its body is read.
#pragma once
#include <string_view>

#include "conn/proxy/exchange.hpp"

namespace spliced::conn {

// Whether the route has a check that has not been answered yet.
bool needs_check(const Request& r);
// ReadHead, ReadBody -> Connect, Exchange; or Respond if the application cannot be asked.
void begin_check(Services& s, Request& r, const http::RequestHead& request, std::string_view host);
// Handles the answer's final head, at the front of from_upstream. Moved: the answer is relayed to
// the client. Ended: the client's request goes on, or has failed.
Flow take_check(Services& s, Request& r, std::string_view head, const http::UpstreamHead& parsed);
// There is no valid answer: 502, and an incident for the log. Where the route falls back, the
// request goes on instead, without the word that somebody has passed.
Flow fail_check(Services& s, Request& r, const char* reason);

}  // namespace spliced::conn
