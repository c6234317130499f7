// SPDX-License-Identifier: Apache-2.0
// The parts of a multipart/byteranges body that do not come from the file (RFC 9110 14.6, RFC 2046
// 5.1.1): the head before each range, and the closing delimiter after the last. conn/parts sends
// them in turn with the ranges. Pure, no allocation.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/range.hpp"

namespace spliced::http {

inline constexpr size_t kBoundaryBytes = 32;
inline constexpr size_t kPartHeadBytesMax = 320;

struct Multipart {
  char boundary[kBoundaryBytes];  // random hexadecimal digits, which no file can anticipate
  std::string_view content_type;  // of the file, at most kFieldValueBytesMax; empty: not sent
  uint64_t size = 0;              // of the file

  std::string_view boundary_view() const { return {boundary, kBoundaryBytes}; }
};

// Sets the boundary from two random numbers.
void set_boundary(Multipart& multipart, uint64_t a, uint64_t b);

// Writes "multipart/byteranges; boundary=..."; `out` has kFieldValueBytesMax. Returns the bytes.
size_t format_multipart_type(const Multipart& multipart, char* out);

// Writes the head of a part; `out` has kPartHeadBytesMax. `first`: nothing precedes it. Returns the
// bytes.
size_t format_part_head(const Multipart& multipart, const ByteRange& range, bool first, char* out);
size_t format_closing(const Multipart& multipart, char* out);

// Content-Length of the whole body.
uint64_t multipart_bytes(const Multipart& multipart, const RangeResult& ranges);

}  // namespace spliced::http
