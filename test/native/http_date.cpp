// SPDX-License-Identifier: Apache-2.0
// http/date: the three forms of RFC 9110 5.6.7, against dates known from elsewhere.
#include <ctime>
#include <limits>
#include <ostream>
#include <string>

#include "doctest/doctest.h"
#include "http/date.hpp"

using namespace spliced::http;

namespace {

constexpr int64_t kNow = 1795374000;  // in November 2026

}  // namespace

TEST_CASE("date: IMF-fixdate is written (RFC 9110 5.6.7)") {
  struct Row {
    int64_t seconds;
    const char* text;
  };
  for (const Row& row : {
           Row{0, "Thu, 01 Jan 1970 00:00:00 GMT"},
           Row{784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
           Row{951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
           Row{1709251199, "Thu, 29 Feb 2024 23:59:59 GMT"},
           Row{2147483647, "Tue, 19 Jan 2038 03:14:07 GMT"},
           Row{2147483648, "Tue, 19 Jan 2038 03:14:08 GMT"},
           Row{4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
           Row{253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
           Row{253402300800, "Fri, 31 Dec 9999 23:59:59 GMT"},
           Row{-1, "Thu, 01 Jan 1970 00:00:00 GMT"},
           Row{std::numeric_limits<int64_t>::max(), "Fri, 31 Dec 9999 23:59:59 GMT"},
           Row{std::numeric_limits<int64_t>::min(), "Thu, 01 Jan 1970 00:00:00 GMT"},
       }) {
    CHECK(format_date(row.seconds).view() == row.text);
  }
}

TEST_CASE("date: every day of 1970 to 2400 agrees with the C library and reads back") {
  for (int64_t day = 0; day < 157'000; ++day) {
    const int64_t seconds = day * 86400 + day % 86400;
    const std::time_t time = static_cast<std::time_t>(seconds);
    std::tm fields{};
    REQUIRE(gmtime_r(&time, &fields) != nullptr);
    char expected[64];
    REQUIRE(std::strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", &fields) ==
            kDateBytes);
    const DateText text = format_date(seconds);
    REQUIRE(text.view() == expected);
    REQUIRE(parse_date(text.view(), kNow) == seconds);
  }
}

TEST_CASE("date: the three forms are read (RFC 9110 5.6.7)") {
  for (const char* text : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994"}) {
    CHECK(parse_date(text, kNow) == 784111777);
  }
  CHECK(parse_date("Wed Nov 16 08:49:37 1994", kNow) == 784975777);
  CHECK(parse_date("Wed, 31 Dec 1969 23:59:59 GMT", kNow) == -1);
  CHECK(parse_date("Mon, 01 Jan 0001 00:00:00 GMT", kNow) == -62135596800);
  CHECK(parse_date("Thu, 30 Jun 2016 23:59:60 GMT", kNow) == 1467331200);  // a leap second
}

TEST_CASE("date: two-digit years (RFC 9110 5.6.7: at most 50 years ahead)") {
  CHECK(parse_date("Monday, 01-Jan-26 00:00:00 GMT", kNow) == 1767225600);
  CHECK(parse_date("Monday, 01-Jan-76 00:00:00 GMT", kNow) == 3345062400);   // in 2076
  CHECK(parse_date("Monday, 01-Jan-77 00:00:00 GMT", kNow) == 220924800);    // in 1977
  CHECK(parse_date("Thursday, 31-Dec-76 00:00:00 GMT", kNow) == 220838400);  // 50 years and a month
  CHECK(parse_date("Friday, 01-Jan-99 00:00:00 GMT", kNow) == 915148800);
  CHECK(parse_date("Friday, 01-Jan-99 00:00:00 GMT", 4086000000) == 4070908800);  // asked in 2099
}

TEST_CASE("date: what is no date is refused") {
  for (const char* text : {
           "",
           "Sun",
           "Sun, 06 Nov 1994 08:49:37",         // no zone
           "Sun, 06 Nov 1994 08:49:37 UTC",     // only GMT
           "Sun, 06 Nov 1994 08:49:37 GMT ",    // something after it
           "sun, 06 nov 1994 08:49:37 gmt",     // case-sensitive
           "Sun, 6 Nov 1994 08:49:37 GMT",      // one digit
           "Sun, 06 Nov 94 08:49:37 GMT",       // two-digit year in the wrong form
           "Sun,06 Nov 1994 08:49:37 GMT",      // no space
           "Sun, 06  Nov 1994 08:49:37 GMT",    // two spaces
           "Xyz, 06 Nov 1994 08:49:37 GMT",     // no weekday
           "Sun, 06 Nuv 1994 08:49:37 GMT",     // no month
           "Sun, 00 Nov 1994 08:49:37 GMT",     // no day 0
           "Sun, 31 Nov 1994 08:49:37 GMT",     // November has 30
           "Sun, 29 Feb 1900 08:49:37 GMT",     // no leap year
           "Sun, 29 Feb 2023 08:49:37 GMT",     // no leap year
           "Sun, 06 Nov 0000 08:49:37 GMT",     // no year 0
           "Sun, 06 Nov 1994 24:00:00 GMT",     // no hour 24
           "Sun, 06 Nov 1994 08:60:00 GMT",     // no minute 60
           "Sun, 06 Nov 1994 08:49:61 GMT",     // second 61
           "Sun, 06 Nov 1994 08:49:-1 GMT",     // sign
           "Sun, 06 Nov +994 08:49:37 GMT",     // sign
           "Sunday, 06 Nov 1994 08:49:37 GMT",  // long name in IMF-fixdate
           "Sun, 06-Nov-94 08:49:37 GMT",       // short name in RFC 850
           "Sunday, 06-Nov-1994 08:49:37 GMT",  // four digits in RFC 850
           "Sun Nov 6 08:49:37 1994",           // asctime pads
           "Sun Nov  6 08:49:37 1994 GMT",      // asctime has no zone
           "Sunday Nov  6 08:49:37 1994",       // asctime has the short name
           "784111777",
       }) {
    CAPTURE(text);
    CHECK_FALSE(parse_date(text, kNow).has_value());
  }
}
