// SPDX-License-Identifier: Apache-2.0
// The request that asks whether another may be served, and what of its answer goes with that one.
// Called by conn's check. No I/O.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "http/upstream_request.hpp"

namespace spliced::http {

// GET `path`, with the client's fields but those of its body, of conditions, ranges and upgrades,
// and with what it asked for: X-Forwarded-Method and X-Forwarded-Uri (Traefik, Caddy),
// X-Original-Method and X-Original-URI (nginx's habit). The bytes written; 0 if they do not fit.
[[nodiscard]] size_t format_check_request(std::string_view head, const RequestHead& request,
                                          const Forwarding& forwarding, std::string_view path,
                                          char* out, size_t capacity);

// Authorization: Bearer (RFC 6750 2.1).
[[nodiscard]] bool has_bearer_token(std::string_view head);

// With it a request to the service's own API has passed its check; no client can send it.
inline constexpr std::string_view kPassedLine = "Spliced-Authorized: 1\r\n";

// The answer is no one's alone: it sets no cookie, and Cache-Control (RFC 9111 5.2.2) has neither
// no-store nor no-cache.
[[nodiscard]] bool may_be_remembered(std::string_view head);

// Whole lines: the fields of these names that the answer has.
std::string chosen_fields(std::string_view head, const std::vector<std::string>& names);

}  // namespace spliced::http
