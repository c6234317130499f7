// SPDX-License-Identifier: Apache-2.0
// HTTP dates (RFC 9110 5.6.7): writes IMF-fixdate, reads all three forms. Used for Date and
// Last-Modified (the caller formats once per second or per file and keeps the text) and by
// conditions. Seconds since 1970 are int64_t, as time_t is 32 bits on some ARM systems. No locale.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace spliced::http {

inline constexpr size_t kDateBytes = 29;  // "Sun, 06 Nov 1994 08:49:37 GMT"

struct DateText {
  char bytes[kDateBytes];
  std::string_view view() const { return {bytes, kDateBytes}; }
};

// Seconds outside the years 1970 to 9999 become the nearest second inside.
DateText format_date(int64_t unix_s);

// `now_s` places the two-digit year of the RFC 850 form. Nothing if the text is not an HTTP date of
// an existing day. The name of the weekday must be one, but is not compared with the date. Second
// 60 is the leap second that the grammar allows, and counts as the next second.
std::optional<int64_t> parse_date(std::string_view text, int64_t now_s);

}  // namespace spliced::http
