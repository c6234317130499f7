// SPDX-License-Identifier: Apache-2.0
// http/conditions: the four If-* conditions in their order, and If-Range.
#include <ostream>

#include "doctest/doctest.h"
#include "http/conditions.hpp"

using namespace spliced::http;

namespace {

constexpr int64_t kModified = 784111777;
constexpr const char* kDate = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr const char* kEarlier = "Sun, 06 Nov 1994 08:49:36 GMT";
constexpr const char* kLater = "Sun, 06 Nov 1994 08:49:38 GMT";
constexpr int64_t kNow = 1795374000;
constexpr Validators kFile{"\"a,b\"", kModified};

struct Row {
  const char* rule;
  const char* if_match;
  const char* if_unmodified_since;
  const char* if_none_match;
  const char* if_modified_since;
  Verdict verdict;
};

std::string_view view(const char* text) {
  return text == nullptr ? std::string_view() : std::string_view(text);
}

RequestHead request(const Row& row, Method method) {
  RequestHead head;
  head.method = method;
  head.if_match = view(row.if_match);
  head.if_unmodified_since = view(row.if_unmodified_since);
  head.if_none_match = view(row.if_none_match);
  head.if_modified_since = view(row.if_modified_since);
  return head;
}

constexpr const char* kAbsent = nullptr;
constexpr Verdict kSend = Verdict::Send;
constexpr Verdict kNotModified = Verdict::NotModified;
constexpr Verdict kFailed = Verdict::PreconditionFailed;

}  // namespace

TEST_CASE("conditions: GET and HEAD") {
  for (const Row& row : {
           Row{"no condition", kAbsent, kAbsent, kAbsent, kAbsent, kSend},

           // RFC 9110 13.1.1, strong comparison
           Row{"If-Match: same", "\"a,b\"", kAbsent, kAbsent, kAbsent, kSend},
           Row{"If-Match: any", "*", kAbsent, kAbsent, kAbsent, kSend},
           Row{"If-Match: in a list", "\"x\" ,, \"a,b\"", kAbsent, kAbsent, kAbsent, kSend},
           Row{"If-Match: other", "\"x\"", kAbsent, kAbsent, kAbsent, kFailed},
           Row{"If-Match: weak is not strong", "W/\"a,b\"", kAbsent, kAbsent, kAbsent, kFailed},
           Row{"If-Match: empty", "", kAbsent, kAbsent, kAbsent, kFailed},
           Row{"If-Match: unquoted", "a,b", kAbsent, kAbsent, kAbsent, kFailed},
           Row{"If-Match: not closed", "\"a,b", kAbsent, kAbsent, kAbsent, kFailed},
           Row{"If-Match: no comma", "\"x\" \"a,b\"", kAbsent, kAbsent, kAbsent, kFailed},
           Row{"If-Match: star in a list", "\"x\", *", kAbsent, kAbsent, kAbsent, kFailed},

           // RFC 9110 13.1.4
           Row{"If-Unmodified-Since: same", kAbsent, kDate, kAbsent, kAbsent, kSend},
           Row{"If-Unmodified-Since: later", kAbsent, kLater, kAbsent, kAbsent, kSend},
           Row{"If-Unmodified-Since: earlier", kAbsent, kEarlier, kAbsent, kAbsent, kFailed},
           Row{"If-Unmodified-Since: no date", kAbsent, "x", kAbsent, kAbsent, kSend},
           Row{"If-Match goes first", "*", kEarlier, kAbsent, kAbsent, kSend},
           Row{"If-Match goes first, failing", "\"x\"", kLater, kAbsent, kAbsent, kFailed},

           // RFC 9110 13.1.2, weak comparison
           Row{"If-None-Match: same", kAbsent, kAbsent, "\"a,b\"", kAbsent, kNotModified},
           Row{"If-None-Match: weak", kAbsent, kAbsent, "W/\"a,b\"", kAbsent, kNotModified},
           Row{"If-None-Match: any", kAbsent, kAbsent, "*", kAbsent, kNotModified},
           Row{"If-None-Match: list", kAbsent, kAbsent, ", \"x\",\"a,b\"", kAbsent, kNotModified},
           Row{"If-None-Match: other", kAbsent, kAbsent, "\"x\"", kAbsent, kSend},
           Row{"If-None-Match: w/ is no weak tag", kAbsent, kAbsent, "w/\"a,b\"", kAbsent, kSend},
           Row{"If-None-Match: parts of a tag", kAbsent, kAbsent, "\"a\", \"b\"", kAbsent, kSend},
           Row{"If-None-Match: longer", kAbsent, kAbsent, "\"a,b,c\"", kAbsent, kSend},
           Row{"If-None-Match: empty", kAbsent, kAbsent, "", kAbsent, kSend},
           Row{"If-None-Match: tag not closed", kAbsent, kAbsent, "\"x ,\"a,b\"", kAbsent, kSend},
           Row{"If-None-Match: space in a tag", kAbsent, kAbsent, "\"a b\"", kAbsent, kSend},

           // RFC 9110 13.1.3
           Row{"If-Modified-Since: same", kAbsent, kAbsent, kAbsent, kDate, kNotModified},
           Row{"If-Modified-Since: later", kAbsent, kAbsent, kAbsent, kLater, kNotModified},
           Row{"If-Modified-Since: earlier", kAbsent, kAbsent, kAbsent, kEarlier, kSend},
           Row{"If-Modified-Since: no date", kAbsent, kAbsent, kAbsent, "yesterday", kSend},
           Row{"If-Modified-Since: empty", kAbsent, kAbsent, kAbsent, "", kSend},
           Row{"If-Modified-Since: RFC 850", kAbsent, kAbsent, kAbsent,
               "Sunday, 06-Nov-94 08:49:37 GMT", kNotModified},
           Row{"If-None-Match goes first", kAbsent, kAbsent, "\"x\"", kDate, kSend},
           Row{"If-None-Match goes first, matching", kAbsent, kAbsent, "\"a,b\"", kEarlier,
               kNotModified},

           // RFC 9110 13.2.2, the order
           Row{"a failed precondition goes before 304", "\"x\"", kAbsent, "\"a,b\"", kDate,
               kFailed},
           Row{"unmodified goes before 304", kAbsent, kEarlier, "\"a,b\"", kAbsent, kFailed},
           Row{"all hold", "\"a,b\"", kAbsent, "\"x\"", kAbsent, kSend},
       }) {
    CAPTURE(row.rule);
    CHECK(evaluate(request(row, Method::Get), kFile, kNow) == row.verdict);
    CHECK(evaluate(request(row, Method::Head), kFile, kNow) == row.verdict);
  }
}

TEST_CASE("conditions: other methods (RFC 9110 13.1.2, 13.1.3)") {
  const Row matched{"", kAbsent, kAbsent, "\"a,b\"", kAbsent, kFailed};
  CHECK(evaluate(request(matched, Method::Other), kFile, kNow) == kFailed);
  const Row unmodified{"", kAbsent, kAbsent, kAbsent, kDate, kSend};
  CHECK(evaluate(request(unmodified, Method::Other), kFile, kNow) == kSend);
}

TEST_CASE("conditions: a file without an entity-tag matches only the star") {
  const Validators untagged{{}, kModified};
  const Row star{"", "*", kAbsent, kAbsent, kAbsent, kSend};
  CHECK(evaluate(request(star, Method::Get), untagged, kNow) == kSend);
  for (const char* list : {"\"\"", "", ",", "\"a\""}) {
    CAPTURE(list);
    const Row row{"", list, kAbsent, kAbsent, kAbsent, kFailed};
    CHECK(evaluate(request(row, Method::Get), untagged, kNow) == kFailed);
  }
}

TEST_CASE("conditions: If-Range (RFC 9110 13.1.5, 14.2)") {
  RequestHead head;
  head.method = Method::Get;
  CHECK_FALSE(range_applies(head, kFile));  // no Range
  head.if_range = "\"a,b\"";
  CHECK_FALSE(range_applies(head, kFile));  // If-Range alone means nothing

  head.range = "bytes=0-1";
  struct {
    const char* if_range;
    bool applies;
  } const rows[] = {
      {kAbsent, true},
      {"\"a,b\"", true},
      {kDate, true},
      {"\"x\"", false},
      {"W/\"a,b\"", false},       // strong comparison
      {"\"x\", \"a,b\"", false},  // not a list
      {"*", false},
      {"", false},
      {kEarlier, false},
      {kLater, false},                            // the same, not "not newer"
      {"Sunday, 06-Nov-94 08:49:37 GMT", false},  // not what we sent
  };
  for (const auto& row : rows) {
    head.if_range = view(row.if_range);
    CAPTURE(head.if_range);
    CHECK(range_applies(head, kFile) == row.applies);
  }

  head.if_range = {};
  head.method = Method::Head;  // RFC 9110 14.2: Range is for GET
  CHECK_FALSE(range_applies(head, kFile));
  head.method = Method::Get;
  head.if_range = "W/\"a\"";
  CHECK_FALSE(range_applies(head, {"W/\"a\"", kModified}));  // weak is never strong
}
