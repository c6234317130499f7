// SPDX-License-Identifier: Apache-2.0
// Fuzzes http/range. The first 8 bytes are the size of the file, the rest is the field.
#include "http/range.hpp"

#include <cstring>
#include <string>

#include "invariant.hpp"

using namespace spliced::http;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  uint64_t file_size = 0;
  if (size < sizeof file_size) return 0;
  std::memcpy(&file_size, data, sizeof file_size);
  const std::string_view header = text_of(data + sizeof file_size, size - sizeof file_size);

  const RangeResult result = resolve_range(header, file_size);
  if (result.kind != RangeKind::Satisfiable) {
    INVARIANT(result.first == 0 && result.last == 0);
    return 0;
  }
  INVARIANT(result.first <= result.last && result.last < file_size);

  // What was understood, said plainly, is understood the same way.
  const std::string plain =
      "bytes=" + std::to_string(result.first) + "-" + std::to_string(result.last);
  const RangeResult again = resolve_range(plain, file_size);
  INVARIANT(again.kind == result.kind);
  INVARIANT(again.first == result.first && again.last == result.last);
  return 0;
}
