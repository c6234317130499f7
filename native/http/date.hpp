// SPDX-License-Identifier: Apache-2.0
// HTTP dates (RFC 9110 5.6.7): writes IMF-fixdate, reads all three forms. Used by conditions, and
// for Date and Last-Modified, whose text the caller formats once per second or per file and keeps.
// Seconds since 1970 are int64_t, because time_t has 32 bits on some ARM systems. No locale.
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

// A time outside the years 1970 to 9999 becomes the nearest second inside.
DateText format_date(int64_t unix_s);

// `now_s` decides the century of the RFC 850 form's two-digit year. Empty if the text is not an
// HTTP date of an existing day. The weekday must be a valid name but is not compared with the date.
// Second 60 is the leap second that the grammar allows, and counts as the next second.
std::optional<int64_t> parse_date(std::string_view text, int64_t now_s);

}  // namespace spliced::http
