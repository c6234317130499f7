// SPDX-License-Identifier: Apache-2.0
// Puts the head of a response, and a body from memory, into the connection's output, and enters
// Respond. For routing.cpp and file_response.cpp, and for read_head.cpp when a head is refused.
#pragma once
#include <string_view>

#include "conn/services.hpp"
#include "http/head.hpp"
#include "http/response.hpp"

namespace spliced::conn {

// Date, Connection and the route's own fields are filled in here. Every other is the caller's.
void send_head(Services& s, Request& r, http::ResponseHead& head);
void append_body(Request& r, std::string_view body);  // behind the head; it must fit

// A whole answer that nobody may keep (Cache-Control: no-store). `send_body`: not to HEAD.
void respond_text(Services& s, Request& r, http::ResponseHead& head, std::string_view body,
                  bool send_body);
// Location is `base`, `path` encoded, and the query of the request (http/routes.hpp).
void respond_redirect(Services& s, Request& r, uint16_t status, std::string_view base,
                      std::string_view path, const http::RequestHead& request);
// The status in words as text/plain. `allow`: for 405, RFC 9110 15.5.6.
void respond_error(Services& s, Request& r, uint16_t status, bool keep_alive, bool send_body,
                   std::string_view allow = {});

}  // namespace spliced::conn
