// SPDX-License-Identifier: Apache-2.0
// The Range field (RFC 9110 14.2) against the size of a file. Called by conn's file_response when
// range_applies() says so. What overlaps or nearly touches is joined, and what asks for more pieces
// than the bounds allow is answered with the whole file (RFC 9110 14.2 and 17.15): a request cannot
// multiply work.
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
  // In the order of the request, first <= last < size, disjoint, and more than kRangeGapBytes
  // apart.
  ByteRange ranges[limits::kRangesMax];
};

// Ignore: another unit than bytes, bad syntax, last before first, too many ranges, or the beginning
// or the end of an empty file: who asks for that gets all there is, and a 200, as no Content-Range
// can say so. (By RFC 9110 14.1.2 the end is satisfiable and the beginning is not.)
// Unsatisfiable: every range begins at or after the end, or asks for the last 0 bytes.
[[nodiscard]] RangeResult resolve_range(std::string_view header, uint64_t size);

}  // namespace spliced::http
