// SPDX-License-Identifier: Apache-2.0
// Content-Range of a request (RFC 9110 14.4, 14.5): which bytes of the whole its body has. Pure.
#pragma once
#include <cstdint>
#include <string_view>

namespace spliced::http {

struct ContentRange {
  uint64_t first = 0;
  uint64_t last = 0;  // included
  bool has_size = false;
  uint64_t size = 0;  // of the whole, greater than `last`; valid if has_size
};

// Parses "bytes FIRST-LAST/SIZE", or "*" for an unknown size. False: anything else, numbers that
// contradict each other, or that do not fit into 64 bits.
[[nodiscard]] bool parse_content_range(std::string_view value, ContentRange& out);

}  // namespace spliced::http
