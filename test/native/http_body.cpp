// SPDX-License-Identifier: Apache-2.0
// http/body: where a body ends, which are refused, and that it does not matter how they arrive.
#include <ostream>
#include <string>
#include <vector>

#include "base/limits.hpp"
#include "doctest/doctest.h"
#include "http/body.hpp"

using namespace spliced;
using namespace spliced::http;
using Verdict = BodyReader::Verdict;

namespace {

constexpr uint64_t kMax = limits::kDiscardedBodyBytesMaxDefault;

RequestHead chunked() {
  RequestHead head;
  head.has_body = head.chunked = true;
  return head;
}

RequestHead sized(uint64_t bytes) {
  RequestHead head;
  head.has_body = bytes > 0;
  head.content_length = bytes;
  return head;
}

struct Fed {
  Verdict verdict;
  size_t consumed;  // of all the input
};

// In pieces of so many bytes.
Fed feed(BodyReader skipper, const std::string& input, size_t piece) {
  Fed out{Verdict::More, 0};
  for (size_t at = 0; at < input.size() && out.verdict == Verdict::More; at += piece) {
    const BodyReader::Result result = skipper.feed(std::string_view(input).substr(at, piece));
    out.verdict = result.verdict;
    out.consumed += result.consumed;
    CHECK((result.verdict == Verdict::Bad) == (result.why != nullptr));
    CHECK(skipper.done() == (result.verdict == Verdict::Done));
  }
  return out;
}

struct Row {
  const char* rule;
  std::string input;
  Verdict verdict;
};

void check(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    CAPTURE(row.rule);
    for (const size_t piece : {size_t{1}, size_t{2}, size_t{7}, row.input.size() + 1}) {
      CAPTURE(piece);
      CHECK(feed(BodyReader(chunked(), kMax), row.input, piece).verdict == row.verdict);
    }
  }
}

}  // namespace

TEST_CASE("body: the next request begins behind it (RFC 9112 6.3)") {
  const std::string next = "GET / HTTP/1.1\r\n";
  struct Known {
    RequestHead head;
    std::string body;
  };
  for (const Known& row : {
           Known{sized(0), ""},
           Known{sized(5), "hello"},
           Known{sized(kMax), std::string(kMax, 'x')},
           Known{chunked(), "0\r\n\r\n"},
           Known{chunked(), "5\r\nhello\r\n0\r\n\r\n"},
           Known{chunked(), "5\r\n\r\n0\r\n\r\n0\r\n\r\n"},
           Known{chunked(), "00a\r\n0123456789\r\n1\r\nx\r\n0\r\nDigest: x\r\n\r\n"},
       }) {
    CAPTURE(row.body.substr(0, 40));
    for (const size_t piece : {size_t{1}, size_t{3}, row.body.size() + next.size()}) {
      const Fed all = feed(BodyReader(row.head, kMax), row.body + next, piece);
      CHECK(all.verdict == Verdict::Done);
      CHECK(all.consumed == row.body.size());
      if (row.body.size() > 100) continue;
      for (size_t bytes = 0; bytes < row.body.size(); bytes++)
        CHECK(feed(BodyReader(row.head, kMax), row.body.substr(0, bytes), piece).verdict ==
              Verdict::More);
    }
  }
}

TEST_CASE("body: chunk sizes (RFC 9112 7.1)") {
  check({
      {"upper and lower case", "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", Verdict::Done},
      {"leading zeros, sixteen digits", "0000000000000001\r\nx\r\n0\r\n\r\n", Verdict::Done},
      {"several zeros are the last chunk", "000\r\n\r\n", Verdict::Done},
      {"seventeen digits", "00000000000000001\r\nx\r\n", Verdict::Bad},
      {"2^64", "10000000000000000\r\n", Verdict::Bad},
      {"2^64-1", "ffffffffffffffff\r\n", Verdict::TooLarge},
      {"empty", "\r\n", Verdict::Bad},
      {"prefix of other notations", "0x5\r\nhello\r\n", Verdict::Bad},
      {"sign", "+5\r\nhello\r\n", Verdict::Bad},
      {"negative", "-1\r\n", Verdict::Bad},
      {"no digit", "g\r\n", Verdict::Bad},
      {"a digit and more", "5g\r\nhello\r\n", Verdict::Bad},
      {"fraction", "1.0\r\nx\r\n", Verdict::Bad},
      {"underscore", "1_0\r\n", Verdict::Bad},
      {"space before", " 5\r\nhello\r\n", Verdict::Bad},
      {"tab before", "\t5\r\nhello\r\n", Verdict::Bad},
      {"space after, with nothing behind", "5 \r\nhello\r\n", Verdict::Bad},
      {"two numbers", "5 5\r\nhello\r\n", Verdict::Bad},
      {"NUL", std::string("5\0\r\nhello\r\n", 11), Verdict::Bad},
      {"obs-text", "5\xff\r\nhello\r\n", Verdict::Bad},
      {"bare LF (RFC 9112 2.2)", "5\nhello\r\n", Verdict::Bad},
      {"bare CR", "5\rhello\r\n", Verdict::Bad},
      {"CR CR LF", "5\r\r\nhello\r\n", Verdict::Bad},
  });
}

TEST_CASE("body: chunk data (RFC 9112 7.1)") {
  check({
      {"its bytes mean nothing", "c\r\n0\r\n\r\nGET / \n\r\n0\r\n\r\n", Verdict::Done},
      {"longer than its size", "5\r\nhello!\r\n", Verdict::Bad},
      {"shorter than its size", "5\r\nhell\r\n0\r\n\r\n", Verdict::Bad},
      {"bare LF behind it", "5\r\nhello\n0\r\n\r\n", Verdict::Bad},
      {"bare CR behind it", "5\r\nhello\r0\r\n\r\n", Verdict::Bad},
      {"nothing behind it", "5\r\nhello0\r\n\r\n", Verdict::Bad},
  });
}

TEST_CASE("body: chunk extensions (RFC 9112 7.1.1)") {
  const auto with = [](const std::string& ext) { return "1" + ext + "\r\nx\r\n0\r\n\r\n"; };
  check({
      {"a name", with(";a"), Verdict::Done},
      {"a name and a token", with(";a=b"), Verdict::Done},
      {"a quoted string", with(";a=\"b;\\\"c\\\\\td\""), Verdict::Done},
      {"several, with BWS", with(" ; a = b\t;c ;d=\"e\" ;f"), Verdict::Done},
      {"of the last chunk", "0;a=b\r\n\r\n", Verdict::Done},
      {"no name", with(";"), Verdict::Bad},
      {"no name between two", with(";;a"), Verdict::Bad},
      {"no value", with(";a="), Verdict::Bad},
      {"no separator", with(" a"), Verdict::Bad},
      {"two values", with(";a=b=c"), Verdict::Bad},
      {"two words", with(";a b"), Verdict::Bad},
      {"BWS at the end", with(";a "), Verdict::Bad},
      {"open quote", with(";a=\"b"), Verdict::Bad},
      {"CRLF in a quoted string", with(";a=\"\r\n\""), Verdict::Bad},
      {"bare LF in an extension", "1;a\nx\r\n0\r\n\r\n", Verdict::Bad},
      {"bare CR in an extension", "1;a\r;b\r\nx\r\n", Verdict::Bad},
      {"NUL", with(";a" + std::string(1, '\0')), Verdict::Bad},
      {"something behind a quoted string", with(";a=\"b\"c"), Verdict::Bad},
      {"name is no token", with(";\"a\""), Verdict::Bad},
      {"longer than its bound", "1;" + std::string(limits::kChunkLineBytesMax, 'a'), Verdict::Bad},
  });
}

TEST_CASE("body: trailer section (RFC 9112 7.1.2, 5)") {
  const auto with = [](const std::string& fields) { return "0\r\n" + fields + "\r\n"; };
  std::string many;
  for (size_t i = 0; i < limits::kHeaderFieldsMax; i++) many += "a: b\r\n";
  check({
      {"fields, an empty one too", with("a: b\r\nc:\r\n"), Verdict::Done},
      {"a framing field means nothing here (RFC 9110 6.5.1)", with("Content-Length: 5\r\n"),
       Verdict::Done},
      {"as many as a head may have", with(many), Verdict::Done},
      {"one more", with(many + "a: b\r\n"), Verdict::Bad},
      {"longer than a head may be", with("a: " + std::string(limits::kTrailerBytesMax, 'b')),
       Verdict::Bad},
      {"no colon", with("a\r\n"), Verdict::Bad},
      {"no name", with(": b\r\n"), Verdict::Bad},
      {"space before the colon", with("a : b\r\n"), Verdict::Bad},
      {"folded", with("a: b\r\n c\r\n"), Verdict::Bad},
      {"bare LF", with("a: b\n"), Verdict::Bad},
      {"bare CR", with("a: b\rc: d\r\n"), Verdict::Bad},
      {"NUL", with(std::string("a: \0\r\n", 6)), Verdict::Bad},
      {"bare LF as the last line", "0\r\n\n", Verdict::Bad},
      {"CR and no LF as the last line", "0\r\n\rX", Verdict::Bad},
  });
}

TEST_CASE("body: a trailer section that is to be kept, however it comes") {
  const std::string section = "A: b\r\nX-Sum:\t c d \r\nE:\r\n\r\n";
  const std::string body = "3\r\nabc\r\n0;x=y\r\n" + section;
  for (size_t piece = 1; piece <= body.size(); piece++) {
    std::string kept;
    BodyReader reader = BodyReader::of_chunks();
    reader.keep_trailers(&kept);
    CHECK(feed(reader, body + "A: c\r\n", piece).consumed == body.size());
    CHECK(kept == section);
  }
  std::string kept;
  BodyReader long_one = BodyReader::of_chunks();
  long_one.keep_trailers(&kept);
  const std::string flood = "0\r\nA: " + std::string(2 * limits::kTrailerBytesMax, 'x');
  CHECK(feed(long_one, flood, 1).verdict == Verdict::Bad);
  CHECK(kept.size() <= limits::kTrailerBytesMax + 1);
}

TEST_CASE("body: the bound is of bytes on the wire") {
  CHECK(feed(BodyReader(sized(11), 10), "x", 1).verdict == Verdict::TooLarge);
  CHECK(feed(BodyReader(sized(10), 10), "0123456789", 3).verdict == Verdict::Done);
  CHECK(feed(BodyReader(sized(UINT64_MAX), kMax), "x", 1).verdict == Verdict::TooLarge);
  const std::string small = "1\r\nx\r\n0\r\n\r\n";
  CHECK(feed(BodyReader(chunked(), small.size()), small, 1).verdict == Verdict::Done);
  CHECK(feed(BodyReader(chunked(), small.size() - 1), small, 1).verdict == Verdict::TooLarge);
  // As soon as the size is known, and without its data.
  CHECK(feed(BodyReader(chunked(), 100), "65\r\n", 1).verdict == Verdict::TooLarge);
  std::string crumbs;
  for (int i = 0; i < 20; i++) crumbs += "1\r\nx\r\n";
  CHECK(feed(BodyReader(chunked(), 100), crumbs, 1).verdict == Verdict::TooLarge);
  CHECK(feed(BodyReader(), "GET", 3).consumed == 0);
}
