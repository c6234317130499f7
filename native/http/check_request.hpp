// SPDX-License-Identifier: Apache-2.0
// The request that asks an application whether another request may be served, and what of its
// answer is added to that request. Called by conn's check. No I/O.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "http/upstream_request.hpp"

namespace spliced::http {

// Writes a GET of `path`: the client's fields except those of its body, of conditions, ranges and
// upgrades, and what the client asked for: X-Forwarded-Method and X-Forwarded-Uri (Traefik, Caddy),
// X-Original-Method and X-Original-URI (as nginx's users do). Returns the bytes written; 0 if they
// do not fit.
[[nodiscard]] size_t format_check_request(std::string_view head, const RequestHead& request,
                                          const Forwarding& forwarding, std::string_view path,
                                          char* out, size_t capacity);

// The head has Authorization: Bearer (RFC 6750 2.1).
[[nodiscard]] bool has_bearer_token(std::string_view head);

// Tells the service's own API that a request has passed its check; a client cannot send this line.
inline constexpr std::string_view kPassedLine = "Spliced-Authorized: 1\r\n";
// With it nobody could be asked: who comes has passed nothing.
inline constexpr std::string_view kUnansweredLine = "Spliced-Unanswered: 1\r\n";

// Whether the answer holds for more than this request: it sets no cookie, and its Cache-Control
// (RFC 9111 5.2.2) has neither no-store nor no-cache.
[[nodiscard]] bool may_be_remembered(std::string_view head);

// The answer's fields with these names, as whole lines.
std::string chosen_fields(std::string_view head, const std::vector<std::string>& names);

}  // namespace spliced::http
