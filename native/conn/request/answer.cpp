// SPDX-License-Identifier: Apache-2.0
// See answer.hpp.
#include "conn/request/answer.hpp"

#include <cstring>

#include "base/assert.hpp"
#include "conn/proxy/hand_over.hpp"
#include "conn/transport.hpp"

namespace spliced::conn {

namespace {

uint64_t rate_of(const Request& r) {
  const uint64_t own = r.route != nullptr ? r.route->rate_max_bytes_per_s : 0;
  return own == 0 && r.handed ? r.handed->rate_max_bytes_per_s : own;
}

}  // namespace

void send_head(Services& s, Request& r, http::ResponseHead& head) {
  head.date = s.date();
  head.keep_alive = r.keep_alive;
  if (r.route != nullptr) head.fields = r.route->fields;
  if (r.handed) add_kept_fields(r, head);
  set_rate(r, rate_of(r));
  write_head(s, r, head);
  s.figures.count_status(head.status);
  mark_served(r);
  enter(s, r, State::Respond);
}

void append_body(Request& r, std::string_view body) {
  Span& output = output_of(r);
  SPLICED_ASSERT(body.size() <= output.room());
  std::memcpy(output.tail(), body.data(), body.size());
  output.end += body.size();
}

void respond_text(Services& s, Request& r, http::ResponseHead& head, std::string_view body,
                  bool send_body) {
  head.content_length = body.size();
  head.cache_control = "no-store";
  send_head(s, r, head);
  if (send_body) append_body(r, body);
}

void respond_redirect(Services& s, Request& r, uint16_t status, std::string_view base,
                      std::string_view path, const http::RequestHead& request) {
  const bool send_body = request.method != http::Method::Head;
  char location[limits::kLocationBytesMax];
  const size_t bytes = http::format_location(base, path, request.target, location);
  if (bytes == 0) return respond_error(s, r, 414, r.keep_alive, send_body);
  http::ResponseHead head;
  head.status = status;
  head.location = {location, bytes};
  head.content_type = "text/plain; charset=utf-8";
  respond_text(s, r, head, http::error_body(status), send_body);
}

void respond_error(Services& s, Request& r, uint16_t status, bool keep_alive, bool send_body,
                   std::string_view allow) {
  r.keep_alive = keep_alive;
  http::ResponseHead head;
  head.status = status;
  head.content_type = "text/plain; charset=utf-8";
  head.allow = allow;
  respond_text(s, r, head, http::error_body(status), send_body);
}

}  // namespace spliced::conn
