// SPDX-License-Identifier: Apache-2.0
// Asks an application before a request is served (`authorize` of a route): by a request of its own,
// without a body, sent like any exchange with a backend. 2xx lets the request pass to its route;
// 401, 403 and redirects become the client's answer; anything else is 502. The request's head stays
// in the input meanwhile, and no byte of its body is read.
#pragma once
#include <string_view>

#include "conn/request/exchange.hpp"

namespace spliced::conn {

// The route has somebody to ask, who has not answered yet.
bool needs_check(const Request& r);
// ReadHead, ReadBody -> Connect, Exchange; or Respond where it cannot be asked.
void begin_check(Services& s, Request& r, const http::RequestHead& request, std::string_view host);
// The final head of the answer, at the front of from_upstream. Moved: it is the client's, to be
// relayed as any. Ended: the request goes on, or has failed.
Flow take_check(Services& s, Request& r, std::string_view head, const http::UpstreamHead& parsed);
// No answer, or none that counts: 502, with a line in the log.
Flow fail_check(Services& s, Request& r, const char* reason);

}  // namespace spliced::conn
