// SPDX-License-Identifier: Apache-2.0
// Resolves the Range field (RFC 9110 14.2) against the size of a file. Called by conn's
// file_response when range_applies() says so. Ranges that overlap or nearly touch are joined. A
// request for more ranges than the bounds allow gets the whole file (RFC 9110 14.2 and 17.15), so
// that it cannot multiply work.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/limits.hpp"

namespace spliced::http {

enum class RangeKind : uint8_t {
  Ignore,         // send the whole file with 200
  Satisfiable,    // one range: 206 with Content-Range; several: 206 with multipart/byteranges
  Unsatisfiable,  // answer 416
};

struct ByteRange {
  uint64_t first = 0;
  uint64_t last = 0;  // included
  uint64_t size() const { return last - first + 1; }
};

struct RangeResult {
  RangeKind kind = RangeKind::Ignore;
  size_t count = 0;  // Satisfiable: 1 to kRangesMax; otherwise 0
  // In the order of the request; first <= last < size; disjoint, more than kRangeGapBytes apart.
  ByteRange ranges[limits::kRangesMax];
};

// Ignore: a unit other than bytes, bad syntax, last before first, too many ranges, or a range of an
// empty file. That one gets a 200 with all there is, because no Content-Range can express it. (By
// RFC 9110 14.1.2 a suffix of it would be satisfiable, and a first byte would not.) Unsatisfiable:
// every range begins at or after the end, or asks for the last 0 bytes.
[[nodiscard]] RangeResult resolve_range(std::string_view header, uint64_t size);

}  // namespace spliced::http
