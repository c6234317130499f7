// SPDX-License-Identifier: Apache-2.0
// See answer.hpp.
#include "conn/answer.hpp"

#include <cstring>

#include "base/assert.hpp"
#include "conn/dispatch.hpp"

namespace spliced::conn {

void send_head(Services& s, Connection& c, http::ResponseHead& head) {
  head.date = s.date();
  head.keep_alive = c.request.keep_alive;
  if (c.request.route != nullptr) head.fields = c.request.route->fields;
  c.output.hold(s.buffers);
  const size_t bytes = http::format_head(head, c.output.tail(), c.output.room());
  SPLICED_ASSERT(bytes > 0);  // http/response.hpp bounds every head
  c.output.end += bytes;
  s.figures.count_status(head.status);
  c.served = true;
  enter(s, c, State::Respond);
}

void append_body(Connection& c, std::string_view body) {
  SPLICED_ASSERT(body.size() <= c.output.room());
  std::memcpy(c.output.tail(), body.data(), body.size());
  c.output.end += body.size();
}

void respond_text(Services& s, Connection& c, http::ResponseHead& head, std::string_view body,
                  bool send_body) {
  head.content_length = body.size();
  head.cache_control = "no-store";
  send_head(s, c, head);
  if (send_body) append_body(c, body);
}

void respond_redirect(Services& s, Connection& c, uint16_t status, std::string_view base,
                      std::string_view path, const http::RequestHead& request) {
  const bool send_body = request.method != http::Method::Head;
  char location[limits::kLocationBytesMax];
  const size_t bytes = http::format_location(base, path, request.target, location);
  if (bytes == 0) return respond_error(s, c, 414, c.request.keep_alive, send_body);
  http::ResponseHead head;
  head.status = status;
  head.location = {location, bytes};
  head.content_type = "text/plain; charset=utf-8";
  respond_text(s, c, head, http::error_body(status), send_body);
}

void respond_error(Services& s, Connection& c, uint16_t status, bool keep_alive, bool send_body,
                   std::string_view allow) {
  c.request.keep_alive = keep_alive;
  http::ResponseHead head;
  head.status = status;
  head.content_type = "text/plain; charset=utf-8";
  head.allow = allow;
  respond_text(s, c, head, http::error_body(status), send_body);
}

}  // namespace spliced::conn
