// SPDX-License-Identifier: Apache-2.0
// See multipart.hpp.
#include "http/multipart.hpp"

#include "http/response.hpp"
#include "http/writer.hpp"

namespace spliced::http {
namespace {

constexpr std::string_view kType = "multipart/byteranges; boundary=";
constexpr std::string_view kDelimiter = "\r\n--";
constexpr std::string_view kContentType = "Content-Type: ";
constexpr std::string_view kContentRange = "Content-Range: bytes ";

static_assert(kType.size() + kBoundaryBytes <= kFieldValueBytesMax);
static_assert(kDelimiter.size() + kBoundaryBytes + 2 + kContentType.size() + kFieldValueBytesMax +
                  2 + kContentRange.size() + 3 * kNumberBytesMax + 2 + 4 <=
              kPartHeadBytesMax);
// Joining near ranges costs no more bytes than it saves.
static_assert(limits::kRangeGapBytes <= kDelimiter.size() + kBoundaryBytes + kContentRange.size());

}  // namespace

void set_boundary(Multipart& multipart, uint64_t a, uint64_t b) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (size_t i = 0; i < kBoundaryBytes; i++) {
    uint64_t& from = i < kBoundaryBytes / 2 ? a : b;
    multipart.boundary[i] = kDigits[from & 15];
    from >>= 4;
  }
}

size_t format_multipart_type(const Multipart& multipart, char* out) {
  Writer writer(out, kFieldValueBytesMax);
  writer.text(kType);
  writer.text(multipart.boundary_view());
  return writer.size();
}

size_t format_part_head(const Multipart& multipart, const ByteRange& range, bool first, char* out) {
  Writer writer(out, kPartHeadBytesMax);
  writer.text(first ? kDelimiter.substr(2) : kDelimiter);
  writer.text(multipart.boundary_view());
  writer.text("\r\n");
  writer.field("Content-Type", multipart.content_type, kFieldValueBytesMax);
  writer.text(kContentRange);
  writer.number(range.first);
  writer.text("-");
  writer.number(range.last);
  writer.text("/");
  writer.number(multipart.size);
  writer.text("\r\n\r\n");
  return writer.size();
}

size_t format_closing(const Multipart& multipart, char* out) {
  Writer writer(out, kPartHeadBytesMax);
  writer.text(kDelimiter);
  writer.text(multipart.boundary_view());
  writer.text("--\r\n");
  return writer.size();
}

uint64_t multipart_bytes(const Multipart& multipart, const RangeResult& ranges) {
  char scratch[kPartHeadBytesMax];
  uint64_t bytes = format_closing(multipart, scratch);
  for (size_t i = 0; i < ranges.count; i++) {
    bytes += format_part_head(multipart, ranges.ranges[i], i == 0, scratch);
    bytes += ranges.ranges[i].size();
  }
  return bytes;
}

}  // namespace spliced::http
