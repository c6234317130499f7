// SPDX-License-Identifier: Apache-2.0
// http/range: which bytes a Range field asks for.
#include <ostream>
#include <string>

#include "doctest/doctest.h"
#include "http/range.hpp"

using namespace spliced;
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
           Row{"after the end of an empty file", "bytes=1-", 0, kUnsatisfiable, 0, 0},
           Row{"empty file, last 0 bytes", "bytes=-0", 0, kUnsatisfiable, 0, 0},

           Row{"end of an empty file", "bytes=-1", 0, kIgnore, 0, 0},
           Row{"all of an empty file", "bytes=0-", 0, kIgnore, 0, 0},
           Row{"the first byte of an empty file", "bytes=0-0", 0, kIgnore, 0, 0},
           Row{"the first bytes of an empty file", "bytes=0-1023", 0, kIgnore, 0, 0},
           Row{"ranges of an empty file", "bytes=5-6,0-0,-1", 0, kIgnore, 0, 0},
           Row{"last before first", "bytes=4-2", 10, kIgnore, 0, 0},
           Row{"last before first, beyond the end", "bytes=40-20", 10, kIgnore, 0, 0},
           Row{"one good, one bad", "bytes=0-1,x", 10, kIgnore, 0, 0},
           Row{"one good, one backwards", "bytes=0-1,4-2", 10, kIgnore, 0, 0},
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
    CHECK(result.count == (row.kind == kOk ? 1u : 0u));
    CHECK(result.ranges[0].first == row.first);
    CHECK(result.ranges[0].last == row.last);
  }
}

namespace {

// "first-last first-last ..." or the name of what else came out.
std::string ranges(const std::string& header, uint64_t size) {
  const RangeResult result = resolve_range(header, size);
  if (result.kind == kIgnore) return "ignore";
  if (result.kind == kUnsatisfiable) return "416";
  std::string text;
  for (size_t i = 0; i < result.count; i++) {
    if (i > 0) text += ' ';
    text += std::to_string(result.ranges[i].first) + "-" + std::to_string(result.ranges[i].last);
  }
  return text;
}

}  // namespace

TEST_CASE("range: several ranges, joined where they are near (RFC 9110 14.2, 15.3.7.2)") {
  struct Several {
    const char* rule;
    const char* header;
    const char* result;
  };
  for (const Several& row : {
           Several{"apart", "bytes=0-9,500-509", "0-9 500-509"},
           Several{"order of the request is kept", "bytes=500-509,0-9", "500-509 0-9"},
           Several{"open and suffix", "bytes=900-,-1000,0-0", "0-999"},
           Several{"overlapping", "bytes=0-99,50-199", "0-199"},
           Several{"the same twice", "bytes=5-6,5-6", "5-6"},
           Several{"touching", "bytes=0-99,100-199", "0-199"},
           Several{"a gap no longer than a part's head", "bytes=0-99,150-199", "0-199"},
           Several{"a gap that is longer", "bytes=0-99,151-199", "0-99 151-199"},
           Several{"a bridge joins both sides", "bytes=0-9,200-209,5-205", "0-209"},
           Several{"a bridge joins in the earliest place", "bytes=200-209,700-709,0-9,5-205",
                   "0-209 700-709"},
           Several{"joined with the second alone", "bytes=0-9,500-509,510-519", "0-9 500-519"},
           Several{"what is beyond the end is left out", "bytes=0-9,1000-,5000-6000", "0-9"},
           Several{"all beyond the end", "bytes=1000-,2000-,-0", "416"},
       }) {
    CAPTURE(row.rule);
    CHECK(ranges(row.header, 1000) == row.result);
  }
}

TEST_CASE("range: what could multiply work is answered with the whole (RFC 9110 14.2, 17.15)") {
  const auto spread = [](size_t count, size_t step) {
    std::string header = "bytes=";
    for (size_t i = 0; i < count; i++)
      header += std::to_string(i * step) + "-" + std::to_string(i * step) + ",";
    return header;
  };
  const uint64_t size = 1'000'000;
  CHECK(resolve_range(spread(limits::kRangesMax, 1000), size).count == limits::kRangesMax);
  CHECK(ranges(spread(limits::kRangesMax + 1, 1000), size) == "ignore");
  CHECK(ranges(spread(limits::kRangesAskedMax, 1), size) == "0-63");
  CHECK(ranges(spread(limits::kRangesAskedMax + 1, 1), size) == "ignore");
}
