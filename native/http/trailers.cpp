// SPDX-License-Identifier: Apache-2.0
// See trailers.hpp.
#include "http/trailers.hpp"

#include "http/fields.hpp"
#include "http/hand_over.hpp"
#include "http/syntax.hpp"

namespace spliced::http {
namespace {

// Forbidden beside the fields of a connection. "If-" is a prefix.
constexpr std::string_view kForbidden[] = {
    // framing, routing
    "content-length", "host",
    // request modifiers
    "expect", "max-forwards", "pragma", "range",
    // authentication
    "authorization", "www-authenticate", "cookie", "set-cookie",
    // response control data
    "age", "cache-control", "date", "expires", "location", "retry-after", "vary", "warning",
    // of the content
    "content-encoding", "content-range", "content-type"};

}  // namespace

bool may_trail(std::string_view name) {
  if (is_hop_by_hop(name) || is_hand_over_field(name)) return false;
  if (equals_ignoring_case(name.substr(0, 3), "if-")) return false;
  for (const std::string_view known : kForbidden)
    if (equals_ignoring_case(name, known)) return false;
  return true;
}

std::string trailers_for_client(std::string_view section, std::string_view connection,
                                std::string_view fields) {
  std::string lines;
  std::string_view name, value;
  while (take_field(section, name, value)) {
    if (!may_trail(name) || has_element(connection, name) || lines_have(fields, name)) continue;
    lines.append(name).append(": ").append(value).append("\r\n");
  }
  return lines;
}

bool takes_trailers(std::string_view head) {
  Fields fields(head);
  std::string_view name, list, coding;
  while (fields.next(name, list)) {
    if (!equals_ignoring_case(name, "te")) continue;
    while (next_element(list, coding))
      if (equals_ignoring_case(coding, "trailers")) return connection_names(head, "te");
  }
  return false;
}

}  // namespace spliced::http
