// SPDX-License-Identifier: Apache-2.0
// HTTP dates; see date.hpp. Days are counted from 1 January of year 1 in the Gregorian calendar,
// which was a Monday.
#include "http/date.hpp"

#include <algorithm>
#include <cstring>

#include "http/syntax.hpp"

namespace spliced::http {
namespace {

constexpr std::string_view kWeekdays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                          "Thursday", "Friday", "Saturday"};
constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr int64_t kDaySeconds = 86400;

struct Civil {
  int64_t year = 0;
  int month = 0;  // 0 to 11
  int day = 0;    // 1 to 31
  int hour = 0;
  int minute = 0;
  int second = 0;
};

constexpr bool is_leap(int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

constexpr int days_in_month(int64_t year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return kDays[month] + (month == 1 && is_leap(year) ? 1 : 0);
}

constexpr int64_t days_before_year(int64_t year) {
  const int64_t past = year - 1;
  return past * 365 + past / 4 - past / 100 + past / 400;
}

constexpr int64_t kEpochDays = days_before_year(1970);
static_assert(kEpochDays == 719162);
constexpr int64_t kSecondsMax = (days_before_year(10000) - kEpochDays) * kDaySeconds - 1;
static_assert(kSecondsMax == 253402300799);

int64_t to_seconds(const Civil& civil) {
  int64_t days = days_before_year(civil.year) - kEpochDays + civil.day - 1;
  for (int month = 0; month < civil.month; ++month) days += days_in_month(civil.year, month);
  return days * kDaySeconds + civil.hour * 3600 + civil.minute * 60 + civil.second;
}

Civil to_civil(int64_t unix_s) {
  const int64_t days = unix_s / kDaySeconds + kEpochDays;
  const int rest = static_cast<int>(unix_s % kDaySeconds);
  Civil civil;
  civil.year = days / 366 + 1;  // never too late; 4 years early today, 21 in 9999
  while (days_before_year(civil.year + 1) <= days) ++civil.year;
  civil.day = static_cast<int>(days - days_before_year(civil.year)) + 1;
  while (civil.day > days_in_month(civil.year, civil.month)) {
    civil.day -= days_in_month(civil.year, civil.month);
    ++civil.month;
  }
  civil.hour = rest / 3600;
  civil.minute = rest / 60 % 60;
  civil.second = rest % 60;
  return civil;
}

void put_digits(char* at, int64_t value, int count) {
  for (int i = count - 1; i >= 0; --i, value /= 10) at[i] = static_cast<char>('0' + value % 10);
}

// Reads a date from left to right. After the first mismatch everything else is a mismatch.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  bool done() const { return ok_ && rest_.empty(); }

  bool skip(std::string_view expected) {
    const bool found = ok_ && rest_.substr(0, expected.size()) == expected;
    if (found) rest_.remove_prefix(expected.size());
    return found;
  }

  void literal(std::string_view expected) { ok_ = skip(expected); }

  int digits(size_t count) {
    uint64_t value = 0;
    bool overflow = false;
    ok_ = ok_ && rest_.size() >= count && parse_number(rest_.substr(0, count), value, overflow);
    if (ok_) rest_.remove_prefix(count);
    return ok_ ? static_cast<int>(value) : 0;
  }

  // asctime pads a day with a space: date3 of RFC 9110 5.6.7.
  int padded_day() { return skip(" ") ? digits(1) : digits(2); }

  int month() {
    for (int month = 0; month < 12; ++month) {
      if (skip(kMonths[month])) return month;
    }
    ok_ = false;
    return 0;
  }

  void time(Civil& civil) {
    civil.hour = digits(2);
    literal(":");
    civil.minute = digits(2);
    literal(":");
    civil.second = digits(2);
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

bool exists(const Civil& civil) {
  return civil.year >= 1 && civil.day >= 1 && civil.day <= days_in_month(civil.year, civil.month) &&
         civil.hour < 24 && civil.minute < 60 && civil.second <= 60;
}

std::optional<int64_t> finish(const Cursor& cursor, const Civil& civil) {
  if (!cursor.done() || !exists(civil)) return std::nullopt;
  return to_seconds(civil);
}

// "Sun, 06 Nov 1994 08:49:37 GMT", after the comma.
std::optional<int64_t> parse_fixdate(Cursor cursor) {
  Civil civil;
  cursor.literal(" ");
  civil.day = cursor.digits(2);
  cursor.literal(" ");
  civil.month = cursor.month();
  cursor.literal(" ");
  civil.year = cursor.digits(4);
  cursor.literal(" ");
  cursor.time(civil);
  cursor.literal(" GMT");
  return finish(cursor, civil);
}

// "Sunday, 06-Nov-94 08:49:37 GMT", after the comma. A date that appears more than 50 years ahead
// belongs to the century before (RFC 9110 5.6.7).
std::optional<int64_t> parse_rfc850(Cursor cursor, int64_t now_s) {
  const int64_t now = std::clamp<int64_t>(now_s, 0, kSecondsMax);
  Civil civil;
  cursor.literal(" ");
  civil.day = cursor.digits(2);
  cursor.literal("-");
  civil.month = cursor.month();
  cursor.literal("-");
  civil.year = to_civil(now).year / 100 * 100 + cursor.digits(2);
  cursor.literal(" ");
  cursor.time(civil);
  cursor.literal(" GMT");
  Civil half_a_century_earlier = civil;
  half_a_century_earlier.year -= 50;
  if (to_seconds(half_a_century_earlier) > now) civil.year -= 100;
  return finish(cursor, civil);
}

// "Sun Nov  6 08:49:37 1994", after the name of the day.
std::optional<int64_t> parse_asctime(Cursor cursor) {
  Civil civil;
  cursor.literal(" ");
  civil.month = cursor.month();
  cursor.literal(" ");
  civil.day = cursor.padded_day();
  cursor.literal(" ");
  cursor.time(civil);
  cursor.literal(" ");
  civil.year = cursor.digits(4);
  return finish(cursor, civil);
}

}  // namespace

DateText format_date(int64_t unix_s) {
  const int64_t seconds = std::clamp<int64_t>(unix_s, 0, kSecondsMax);
  const Civil civil = to_civil(seconds);
  const auto weekday = static_cast<size_t>((seconds / kDaySeconds + kEpochDays + 1) % 7);
  DateText text;
  std::memcpy(text.bytes, "Sun, 06 Nov 1994 08:49:37 GMT", kDateBytes);
  std::memcpy(text.bytes, kWeekdays[weekday].data(), 3);
  put_digits(text.bytes + 5, civil.day, 2);
  std::memcpy(text.bytes + 8, kMonths[civil.month].data(), 3);
  put_digits(text.bytes + 12, civil.year, 4);
  put_digits(text.bytes + 17, civil.hour, 2);
  put_digits(text.bytes + 20, civil.minute, 2);
  put_digits(text.bytes + 23, civil.second, 2);
  return text;
}

std::optional<int64_t> parse_date(std::string_view text, int64_t now_s) {
  for (const std::string_view weekday : kWeekdays) {
    Cursor after_long(text);
    if (after_long.skip(weekday)) {
      return after_long.skip(",") ? parse_rfc850(after_long, now_s) : std::nullopt;
    }
    Cursor after_short(text);
    if (after_short.skip(weekday.substr(0, 3))) {
      return after_short.skip(",") ? parse_fixdate(after_short) : parse_asctime(after_short);
    }
  }
  return std::nullopt;
}

}  // namespace spliced::http
