// SPDX-License-Identifier: Apache-2.0
// Writes the head of a request for a backend (RFC 9110 7.6, RFC 7239): from what was parsed of the
// client's, without what concerns the client's connection alone, and with what the backend may
// believe of the client. Called by conn's proxy. No I/O, no allocation.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "http/head.hpp"

namespace spliced::http {

// What the backend is told; docs/API.md and docs/PROXY.md have the fields.
struct Forwarding {
  std::string_view host;                     // of the target, else of the Host field; may be empty
  std::string_view client_address;           // numeric, without a port
  std::string_view request_id;               // a token
  std::string_view certificate_subject;      // of the verified one, RFC 4514; null without
  std::string_view certificate_fingerprint;  // SHA-256, hexadecimal; null without
  bool own = false;  // to the service's own API, which alone gets the cookie of its people
  // Of a check (check_request.hpp): whole lines, and the names that only it may say.
  std::string_view added;
  const std::vector<std::string>* reserved = nullptr;
};

inline constexpr std::string_view kSessionCookie = "__Host-spliced";

// `head`: the bytes that `request` was read from. The bytes written; 0 if they do not fit, or the
// host is longer than limits::kForwardedHostBytesMax.
[[nodiscard]] size_t format_upstream_request(std::string_view head, const RequestHead& request,
                                             const Forwarding& forwarding, char* out,
                                             size_t capacity);

// Whether a field of the client's goes on to a backend: it concerns not the connection, is not what
// only we may say or write anew, and has one reading.
bool passes_on(std::string_view head, std::string_view name);
class Writer;
// A field that passes on. Of Cookie what is not kSessionCookie's (src/api/cookie.ts), unless it goes
// to the service's own API: an application behind a route cannot act for who has signed in there.
void write_passed_on(std::string_view name, std::string_view value, bool own, Writer& writer);
void write_forwarding(const Forwarding& forwarding, Writer& writer);

// Of a target in origin-form or absolute-form: what the backend gets, path and query.
std::string_view origin_form(std::string_view target);

// Which path is meant, two readers may see differently: a segment of it, decoded and without its
// parameters (";v=1"), is ".", ".." or nothing, or there is a backslash, which some take for a
// slash. Of a target that resolve_target() takes.
bool is_ambiguous_path(std::string_view target);

}  // namespace spliced::http
