// SPDX-License-Identifier: Apache-2.0
// Content-Range of a request: RFC 9110 14.4 and 14.5.
#include "http/content_range.hpp"

#include <ostream>

#include "doctest/doctest.h"

using spliced::http::ContentRange;
using spliced::http::parse_content_range;

TEST_CASE("content-range: what is understood") {
  ContentRange range;
  REQUIRE(parse_content_range("bytes 0-0/1", range));
  CHECK(range.first == 0);
  CHECK(range.last == 0);
  CHECK(range.has_size);
  CHECK(range.size == 1);
  REQUIRE(parse_content_range("BYTES 100-199/1000", range));
  CHECK(range.first == 100);
  CHECK(range.last == 199);
  CHECK(range.size == 1000);
  REQUIRE(parse_content_range("bytes 5-18446744073709551614/*", range));
  CHECK(range.last == UINT64_MAX - 1);
  CHECK_FALSE(range.has_size);
  CHECK(parse_content_range("bytes 0-18446744073709551614/18446744073709551615", range));
}

TEST_CASE("content-range: what is refused") {
  for (const char* text :
       {"", "bytes", "bytes ", "bytes 0-0", "bytes 0/1", "bytes 0-/1", "bytes -0/1", "bytes */10",
        "bytes 1-0/10", "bytes 0-9/9", "bytes 0-9/", "bytes 0-9/10 ", "bytes  0-9/10",
        "bytes 0-9/10/", "bytes 0 -9/10", "bytes=0-9/10", "octets 0-9/10", "bytes 0-9/x",
        "bytes +0-9/10", "bytes 0-18446744073709551615/*", "bytes 0-18446744073709551616/*",
        "bytes 0-9/18446744073709551616", "bytes /-"}) {
    CAPTURE(text);
    ContentRange range;
    CHECK_FALSE(parse_content_range(text, range));
  }
}
