// SPDX-License-Identifier: Apache-2.0
// The Range field (RFC 9110 14.2) against the size of a file. Called by conn's respond when
// range_applies() says so. One range of bytes is served; a request for several is answered with the
// whole file, which RFC 9110 14.2 allows and which cannot be used to multiply work.
#pragma once
#include <cstdint>
#include <string_view>

namespace spliced::http {

enum class RangeKind : uint8_t {
  Ignore,         // send the whole file with 200
  Satisfiable,    // send bytes first to last, both included, with 206
  Unsatisfiable,  // answer 416
};

struct RangeResult {
  RangeKind kind;
  uint64_t first;  // Satisfiable: first <= last < size; otherwise both are 0
  uint64_t last;
};

// Ignore: another unit than bytes, several ranges, bad syntax, last before first, or the end of an
// empty file (satisfiable by RFC 9110 14.1.2, but no Content-Range can say so).
// Unsatisfiable: begins at or after the end, or asks for the last 0 bytes.
[[nodiscard]] RangeResult resolve_range(std::string_view header, uint64_t size);

}  // namespace spliced::http
