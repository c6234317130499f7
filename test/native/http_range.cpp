// SPDX-License-Identifier: Apache-2.0
// http/range: which bytes a Range field asks for.
#include <ostream>

#include "doctest/doctest.h"
#include "http/range.hpp"

using namespace spliced::http;

namespace {

constexpr RangeKind kIgnore = RangeKind::Ignore;
constexpr RangeKind kOk = RangeKind::Satisfiable;
constexpr RangeKind kUnsatisfiable = RangeKind::Unsatisfiable;

struct Row {
  const char* rule;
  const char* header;
  uint64_t size;
  RangeKind kind;
  uint64_t first;
  uint64_t last;
};

}  // namespace

TEST_CASE("range: one range of bytes (RFC 9110 14.1.2, 14.2)") {
  for (const Row& row : {
           Row{"span", "bytes=2-4", 10, kOk, 2, 4},
           Row{"first byte", "bytes=0-0", 10, kOk, 0, 0},
           Row{"last byte", "bytes=9-9", 10, kOk, 9, 9},
           Row{"open end", "bytes=3-", 10, kOk, 3, 9},
           Row{"end beyond the file", "bytes=3-10", 10, kOk, 3, 9},
           Row{"end beyond 2^64", "bytes=3-99999999999999999999999", 10, kOk, 3, 9},
           Row{"whole", "bytes=0-", 10, kOk, 0, 9},
           Row{"suffix", "bytes=-3", 10, kOk, 7, 9},
           Row{"suffix of all", "bytes=-10", 10, kOk, 0, 9},
           Row{"suffix longer than the file", "bytes=-11", 10, kOk, 0, 9},
           Row{"suffix beyond 2^64", "bytes=-99999999999999999999999", 10, kOk, 0, 9},
           Row{"leading zeros", "bytes=0002-0004", 10, kOk, 2, 4},
           Row{"unit in any case (14.1)", "BYTES=2-4", 10, kOk, 2, 4},
           Row{"empty elements (5.6.1.2)", "bytes=, 2-4 ,", 10, kOk, 2, 4},
           Row{"largest file", "bytes=18446744073709551614-", UINT64_MAX, kOk, UINT64_MAX - 1,
               UINT64_MAX - 1},
           Row{"whole of the largest file", "bytes=0-18446744073709551615", UINT64_MAX, kOk, 0,
               UINT64_MAX - 1},

           Row{"begins at the end", "bytes=10-", 10, kUnsatisfiable, 0, 0},
           Row{"begins after the end", "bytes=11-12", 10, kUnsatisfiable, 0, 0},
           Row{"begins beyond 2^64", "bytes=99999999999999999999999-", 10, kUnsatisfiable, 0, 0},
           Row{"begins at 2^64 of the largest file", "bytes=18446744073709551616-", UINT64_MAX,
               kUnsatisfiable, 0, 0},
           Row{"last 0 bytes", "bytes=-0", 10, kUnsatisfiable, 0, 0},
           Row{"empty file", "bytes=0-", 0, kUnsatisfiable, 0, 0},
           Row{"empty file, last 0 bytes", "bytes=-0", 0, kUnsatisfiable, 0, 0},

           Row{"end of an empty file", "bytes=-1", 0, kIgnore, 0, 0},
           Row{"last before first", "bytes=4-2", 10, kIgnore, 0, 0},
           Row{"last before first, beyond the end", "bytes=40-20", 10, kIgnore, 0, 0},
           Row{"two ranges", "bytes=0-1,3-4", 10, kIgnore, 0, 0},
           Row{"another unit", "lines=0-1", 10, kIgnore, 0, 0},
           Row{"no unit", "0-1", 10, kIgnore, 0, 0},
           Row{"empty", "", 10, kIgnore, 0, 0},
           Row{"no range", "bytes=", 10, kIgnore, 0, 0},
           Row{"commas alone", "bytes=,,", 10, kIgnore, 0, 0},
           Row{"dash alone", "bytes=-", 10, kIgnore, 0, 0},
           Row{"no dash", "bytes=1", 10, kIgnore, 0, 0},
           Row{"two dashes", "bytes=1--2", 10, kIgnore, 0, 0},
           Row{"negative", "bytes=--1", 10, kIgnore, 0, 0},
           Row{"sign", "bytes=+1-2", 10, kIgnore, 0, 0},
           Row{"space in a number", "bytes=1 -2", 10, kIgnore, 0, 0},
           Row{"space around the equals sign", "bytes = 1-2", 10, kIgnore, 0, 0},
           Row{"not a number", "bytes=a-b", 10, kIgnore, 0, 0},
           Row{"colon", "bytes:1-2", 10, kIgnore, 0, 0},
       }) {
    CAPTURE(row.rule);
    const RangeResult result = resolve_range(row.header, row.size);
    CHECK(result.kind == row.kind);
    CHECK(result.first == row.first);
    CHECK(result.last == row.last);
  }
}
