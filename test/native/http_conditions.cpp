// SPDX-License-Identifier: Apache-2.0
// http/conditions: the four If-* conditions in their order, and If-Range.
#include <ostream>
#include <string>

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
  return head;
}

constexpr const char* kAbsent = nullptr;
constexpr Verdict kSend = Verdict::Send;
constexpr Verdict kNotModified = Verdict::NotModified;
constexpr Verdict kFailed = Verdict::PreconditionFailed;

}  // namespace

TEST_CASE("conditions: GET and HEAD") {
  for (const Row& row : {
           Row{"no condition", kAbsent, kAbsent, kAbsent, kSend},

           // RFC 9110 13.1.1, strong comparison
           Row{"If-Match: same", "\"a,b\"", kAbsent, kAbsent, kSend},
           Row{"If-Match: any", "*", kAbsent, kAbsent, kSend},
           Row{"If-Match: in a list", "\"x\" ,, \"a,b\"", kAbsent, kAbsent, kSend},
           Row{"If-Match: other", "\"x\"", kAbsent, kAbsent, kFailed},
           Row{"If-Match: weak is not strong", "W/\"a,b\"", kAbsent, kAbsent, kFailed},
           Row{"If-Match: empty", "", kAbsent, kAbsent, kFailed},
           Row{"If-Match: unquoted", "a,b", kAbsent, kAbsent, kFailed},
           Row{"If-Match: not closed", "\"a,b", kAbsent, kAbsent, kFailed},
           Row{"If-Match: no comma", "\"x\" \"a,b\"", kAbsent, kAbsent, kFailed},
           Row{"If-Match: star in a list", "\"x\", *", kAbsent, kAbsent, kFailed},

           // RFC 9110 13.1.4
           Row{"If-Unmodified-Since: same", kAbsent, kDate, kAbsent, kSend},
           Row{"If-Unmodified-Since: later", kAbsent, kLater, kAbsent, kSend},
           Row{"If-Unmodified-Since: earlier", kAbsent, kEarlier, kAbsent, kFailed},
           Row{"If-Unmodified-Since: no date", kAbsent, "x", kAbsent, kSend},
           Row{"If-Match goes first", "*", kEarlier, kAbsent, kSend},
           Row{"If-Match goes first, failing", "\"x\"", kLater, kAbsent, kFailed},

           // RFC 9110 13.1.2, weak comparison
           Row{"If-None-Match: same", kAbsent, kAbsent, "\"a,b\"", kNotModified},
           Row{"If-None-Match: weak", kAbsent, kAbsent, "W/\"a,b\"", kNotModified},
           Row{"If-None-Match: any", kAbsent, kAbsent, "*", kNotModified},
           Row{"If-None-Match: list", kAbsent, kAbsent, ", \"x\",\"a,b\"", kNotModified},
           Row{"If-None-Match: other", kAbsent, kAbsent, "\"x\"", kSend},
           Row{"If-None-Match: w/ is no weak tag", kAbsent, kAbsent, "w/\"a,b\"", kSend},
           Row{"If-None-Match: parts of a tag", kAbsent, kAbsent, "\"a\", \"b\"", kSend},
           Row{"If-None-Match: longer", kAbsent, kAbsent, "\"a,b,c\"", kSend},
           Row{"If-None-Match: empty", kAbsent, kAbsent, "", kSend},
           Row{"If-None-Match: tag not closed", kAbsent, kAbsent, "\"x ,\"a,b\"", kSend},
           Row{"If-None-Match: space in a tag", kAbsent, kAbsent, "\"a b\"", kSend},

           // RFC 9110 13.2.2, the order
           Row{"a failed precondition goes before 304", "\"x\"", kAbsent, "\"a,b\"", kFailed},
           Row{"unmodified goes before 304", kAbsent, kEarlier, "\"a,b\"", kFailed},
           Row{"all hold", "\"a,b\"", kAbsent, "\"x\"", kSend},
       }) {
    CAPTURE(row.rule);
    CHECK(evaluate(request(row, Method::Get), kFile, kNow) == row.verdict);
    CHECK(evaluate(request(row, Method::Head), kFile, kNow) == row.verdict);
  }
}

TEST_CASE("conditions: other methods (RFC 9110 13.1.2)") {
  const Row matched{"", kAbsent, kAbsent, "\"a,b\"", kFailed};
  CHECK(evaluate(request(matched, Method::Other), kFile, kNow) == kFailed);
}

TEST_CASE("conditions: a file without an entity-tag matches only the star") {
  const Validators untagged{{}, kModified};
  const Row star{"", "*", kAbsent, kAbsent, kSend};
  CHECK(evaluate(request(star, Method::Get), untagged, kNow) == kSend);
  for (const char* list : {"\"\"", "", ",", "\"a\""}) {
    CAPTURE(list);
    const Row row{"", list, kAbsent, kAbsent, kFailed};
    CHECK(evaluate(request(row, Method::Get), untagged, kNow) == kFailed);
  }
}

TEST_CASE("conditions: the lines of a list are one list (RFC 9110 5.3)") {
  const auto verdict = [](const std::string& fields) {
    const std::string input = "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
    RequestHead head;
    REQUIRE(parse_head(input, head).outcome == Outcome::Complete);
    return evaluate(head, kFile, kNow);
  };
  CHECK(verdict("If-None-Match: \"x\"\r\nIf-None-Match: \"a,b\"\r\n") == kNotModified);
  CHECK(verdict("If-None-Match: \"x\"\r\nA: b\r\nif-none-match: W/\"a,b\"\r\n") == kNotModified);
  CHECK(verdict("If-Match: \"x\", \"y\"\r\nIf-Match:\r\nIf-Match: \"z\", \"a,b\"\r\n") == kSend);
  CHECK(verdict("If-Match: \"x\"\r\nIf-None-Match: \"a,b\"\r\nIf-Match: \"y\"\r\n") == kFailed);
  CHECK(verdict("If-Match: \"a\r\nIf-Match: b\"\r\n") == kFailed);  // no tag of two lines
  // From a fault on, and a star beside others is one, nothing matches.
  CHECK(verdict("If-Match: \"x\r\nIf-Match: \"a,b\"\r\n") == kFailed);
  CHECK(verdict("If-None-Match: \"x\"\r\nIf-None-Match: *\r\n") == kSend);
  CHECK(verdict("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n") == kSend);  // not read
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
      {kDate, false},  // two files may have one date
      {"\"x\"", false},
      {"W/\"a,b\"", false},       // strong comparison
      {"\"x\", \"a,b\"", false},  // not a list
      {"*", false},
      {"", false},
      {kEarlier, false},
      {kLater, false},
  };
  for (const auto& row : rows) {
    head.if_range = view(row.if_range);
    CAPTURE(head.if_range);
    CHECK(range_applies(head, kFile) == row.applies);
  }

  head.if_range = {};
  head.if_unmodified_since = kDate;
  CHECK_FALSE(range_applies(head, kFile));
  head.if_match = ListField("\"a,b\"");  // goes before it, and has matched
  CHECK(range_applies(head, kFile));
  head.if_match = {};
  head.if_unmodified_since = {};

  head.method = Method::Head;  // RFC 9110 14.2: Range is for GET
  CHECK_FALSE(range_applies(head, kFile));
  head.method = Method::Get;
  head.if_range = "W/\"a\"";
  CHECK_FALSE(range_applies(head, {"W/\"a\"", kModified}));  // weak is never strong
}
