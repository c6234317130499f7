// SPDX-License-Identifier: Apache-2.0
// Fuzzes http/range. The first 8 bytes are the size of the file, the rest is the field.
#include "http/range.hpp"

#include <cstring>
#include <string>

#include "http/multipart.hpp"
#include "invariant.hpp"

using namespace spliced;
using namespace spliced::http;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  uint64_t file_size = 0;
  if (size < sizeof file_size) return 0;
  std::memcpy(&file_size, data, sizeof file_size);
  const std::string_view header = text_of(data + sizeof file_size, size - sizeof file_size);

  const RangeResult result = resolve_range(header, file_size);
  INVARIANT((result.kind == RangeKind::Satisfiable) == (result.count > 0));
  INVARIANT(result.count <= limits::kRangesMax);
  std::string plain = "bytes=";
  for (size_t i = 0; i < result.count; i++) {
    const ByteRange& range = result.ranges[i];
    INVARIANT(range.first <= range.last && range.last < file_size);
    for (size_t j = 0; j < i; j++) {
      const ByteRange& low = range.first < result.ranges[j].first ? range : result.ranges[j];
      const ByteRange& high = range.first < result.ranges[j].first ? result.ranges[j] : range;
      INVARIANT(low.last < high.first && high.first - low.last > limits::kRangeGapBytes);
    }
    plain += std::to_string(range.first) + "-" + std::to_string(range.last) + ",";
  }
  if (result.count == 0) return 0;

  // What was understood, said plainly, is understood the same way.
  const RangeResult again = resolve_range(plain, file_size);
  INVARIANT(again.count == result.count);
  for (size_t i = 0; i < result.count; i++)
    INVARIANT(again.ranges[i].first == result.ranges[i].first &&
              again.ranges[i].last == result.ranges[i].last);

  // The length that is promised is the sum of the pieces.
  Multipart multipart;
  set_boundary(multipart, 1, 2);
  multipart.content_type = "text/plain";
  multipart.size = file_size;
  char piece[kPartHeadBytesMax];
  uint64_t bytes = format_closing(multipart, piece);
  for (size_t i = 0; i < result.count; i++)
    bytes += format_part_head(multipart, result.ranges[i], i == 0, piece) + result.ranges[i].size();
  INVARIANT(bytes == multipart_bytes(multipart, result));
  return 0;
}
