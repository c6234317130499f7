// SPDX-License-Identifier: Apache-2.0
// Puts the head of a response, and a body from memory, into the connection's output, and enters
// Respond. For routing.cpp and file_response.cpp, and for read_head.cpp when a head is refused.
#pragma once
#include <string_view>

#include "conn/services.hpp"
#include "http/head.hpp"
#include "http/response.hpp"

namespace spliced::conn {

// Writes a response head. It fills in Date, Connection and the route's fields; the caller has set
// every other.
void send_head(Services& s, Request& r, http::ResponseHead& head);
void append_body(Request& r, std::string_view body);  // behind the head; it must fit

// A complete response that must not be stored (Cache-Control: no-store). `send_body`: false for
// HEAD.
void respond_text(Services& s, Request& r, http::ResponseHead& head, std::string_view body,
                  bool send_body);
// Location is `base`, then `path`, encoded, then the request's query (http/routes.hpp).
void respond_redirect(Services& s, Request& r, uint16_t status, std::string_view base,
                      std::string_view path, const http::RequestHead& request);
// The status as a line of text/plain. `allow` is for 405, RFC 9110 15.5.6.
void respond_error(Services& s, Request& r, uint16_t status, bool keep_alive, bool send_body,
                   std::string_view allow = {});

}  // namespace spliced::conn
