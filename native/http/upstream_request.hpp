// SPDX-License-Identifier: Apache-2.0
// Writes the head of a request for a backend (RFC 9110 7.6, RFC 7239): from the client's parsed
// head, without what concerns the client's connection alone, and with facts about the client that
// the backend may believe. Called by conn's proxy. No I/O, no allocation.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "http/head.hpp"

namespace spliced::http {

// Facts for the backend; docs/API.md and docs/PROXY.md list the fields.
struct Forwarding {
  std::string_view host;                     // of the target, else of the Host field; may be empty
  std::string_view client_address;           // numeric, without a port
  std::string_view request_id;               // a token
  std::string_view certificate_subject;      // of the verified one, RFC 4514; null without
  std::string_view certificate_fingerprint;  // SHA-256, hexadecimal; null without
  bool own = false;  // to the service's own API, which alone gets the session cookie
  // Of a check (check_request.hpp): whole lines, and the names that only the check may set.
  std::string_view added;
  const std::vector<std::string>* reserved = nullptr;
};

inline constexpr std::string_view kSessionCookie = "__Host-spliced";

// `head`: the bytes from which `request` was parsed. Returns the bytes written; 0 if they do not
// fit, or if the host is longer than limits::kForwardedHostBytesMax.
[[nodiscard]] size_t format_upstream_request(std::string_view head, const RequestHead& request,
                                             const Forwarding& forwarding, char* out,
                                             size_t capacity);

// Whether a client's field goes on to a backend: it does not concern the connection, is not one
// that we set or rewrite, and has only one reading.
bool passes_on(std::string_view head, std::string_view name);
class Writer;
// Writes a field for which passes_on() is true. kSessionCookie (src/api/cookie.ts) is removed from
// Cookie, unless the request goes to the service's own API: an application behind a route must not
// be able to act for a user of the API.
void write_passed_on(std::string_view name, std::string_view value, bool own, Writer& writer);
void write_forwarding(const Forwarding& forwarding, Writer& writer);

// The path and query that the backend gets, of a target in origin-form or absolute-form.
std::string_view origin_form(std::string_view target);

// Whether two parsers may disagree on the path: a segment, decoded and without its parameters
// (";v=1"), is ".", ".." or empty, or there is a backslash, which some take for a slash. For
// targets that resolve_target() accepts.
bool is_ambiguous_path(std::string_view target);

}  // namespace spliced::http
