// SPDX-License-Identifier: Apache-2.0
// Fuzzes http/date. The first 8 bytes are the time now, the rest is a date. What can be read can be
// written and read again; what is written can always be read.
#include "http/date.hpp"

#include <cstring>

#include "invariant.hpp"

using namespace spliced::http;

namespace {

constexpr int64_t kFirst = -62135596800;  // 1 January of year 1
constexpr int64_t kLast = 253402300799;   // 31 December 9999, 23:59:59

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  int64_t now_s = 0;
  if (size < sizeof now_s) return 0;
  std::memcpy(&now_s, data, sizeof now_s);

  const DateText now = format_date(now_s);
  const auto now_again = parse_date(now.view(), 0);
  INVARIANT(now_again.has_value());
  if (now_s >= 0 && now_s <= kLast) INVARIANT(*now_again == now_s);

  const auto date = parse_date(text_of(data + sizeof now_s, size - sizeof now_s), now_s);
  if (!date) return 0;
  INVARIANT(*date >= kFirst && *date <= kLast + 1);  // one more for a leap second
  if (*date >= 0 && *date <= kLast) {
    INVARIANT(parse_date(format_date(*date).view(), now_s) == date);
  }
  return 0;
}
