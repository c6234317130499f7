// SPDX-License-Identifier: Apache-2.0
// http/head: what is accepted, what is refused with which status, and that neither depends on how
// the bytes arrive. Each row names the rule it stands for.
#include <deque>
#include <ostream>
#include <string>
#include <vector>

#include "base/limits.hpp"
#include "doctest/doctest.h"
#include "http/head.hpp"

using namespace spliced;
using namespace spliced::http;

namespace {

std::string get(const std::string& fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

// The views in the result stay valid: what was parsed is kept until the program ends.
RequestHead accepted(const std::string& text) {
  static std::deque<std::string> kept;
  const std::string& input = kept.emplace_back(text);
  RequestHead head;
  const HeadResult result = parse_head(input, head);
  INFO(input);
  INFO(std::string(result.why == nullptr ? "" : result.why));
  REQUIRE(result.outcome == Outcome::Complete);
  REQUIRE(result.consumed == input.size());
  return head;
}

struct Refusal {
  const char* rule;
  std::string input;
  uint16_t status;
};

void check_refused(const std::vector<Refusal>& rows) {
  for (const Refusal& row : rows) {
    CAPTURE(row.rule);
    RequestHead head;
    const HeadResult result = parse_head(row.input, head);
    CHECK(result.outcome == Outcome::Rejected);
    CHECK(result.status == row.status);
    CHECK(result.consumed == 0);
    CHECK(result.why != nullptr);
  }
}

}  // namespace

TEST_CASE("head: a plain request, field by field") {
  const std::string input =
      "GET /a?b HTTP/1.1\r\nHost: example.org:8443\r\nIf-None-Match: \"x\"\r\n"
      "If-Match:*\r\nIf-Unmodified-Since: u\r\n"
      "Range: bytes=0-1\r\nIf-Range: \"y\"\r\nUser-Agent: \xc3\xa9\r\n\r\n";
  RequestHead head;
  const std::string pipelined = input + "GET /next";
  const HeadResult result = parse_head(pipelined, head);
  CHECK(result.outcome == Outcome::Complete);
  CHECK(result.consumed == input.size());
  CHECK(head.method == Method::Get);
  CHECK(head.method_token == "GET");
  CHECK(head.target == "/a?b");
  CHECK(head.host == "example.org:8443");
  CHECK(head.minor_version == 1);
  CHECK(head.keep_alive);
  CHECK_FALSE(head.has_body);
  CHECK_FALSE(head.expect_continue);
  CHECK(head.if_none_match.text == "\"x\"");
  CHECK(head.if_match.text == "*");
  CHECK(head.if_unmodified_since == "u");
  CHECK(head.range == "bytes=0-1");
  CHECK(head.if_range == "\"y\"");
}

TEST_CASE("head: absent and empty are different") {
  CHECK(accepted(get("")).range.data() == nullptr);
  const RequestHead head = accepted(get("Range:\r\nIf-Match: \t \r\n"));
  CHECK(head.range.data() != nullptr);
  CHECK(head.range.empty());
  CHECK(head.if_match.is_present());
  CHECK(head.if_match.text.empty());
}

TEST_CASE("head: methods are case-sensitive (RFC 9110 9.1)") {
  CHECK(accepted("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").method == Method::Head);
  CHECK(accepted("get / HTTP/1.1\r\nHost: a\r\n\r\n").method == Method::Other);
  CHECK(accepted("M-SEARCH * HTTP/1.1\r\nHost: a\r\n\r\n").method_token == "M-SEARCH");
}

TEST_CASE("head: one empty line before the request line is skipped (RFC 9112 2.2)") {
  CHECK(accepted("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").target == "/");
  check_refused({{"two are not", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400}});
}

TEST_CASE("head: persistence (RFC 9112 9.3, RFC 9110 7.6.1)") {
  const std::string old = "GET / HTTP/1.0\r\n";
  CHECK(accepted(get("")).keep_alive);
  CHECK_FALSE(accepted(get("Connection: close\r\n")).keep_alive);
  CHECK_FALSE(accepted(get("Connection: TE, CLOSE\r\n")).keep_alive);
  CHECK_FALSE(accepted(get("Connection: keep-alive\r\nConnection: close\r\n")).keep_alive);
  CHECK_FALSE(accepted(get("Connection: close\r\nconnection: keep-alive\r\n")).keep_alive);
  CHECK(accepted(get("Connection: , ,closed\r\n")).keep_alive);
  CHECK_FALSE(accepted(old + "\r\n").keep_alive);
  CHECK(accepted(old + "Connection: Keep-Alive\r\n\r\n").keep_alive);
  CHECK_FALSE(accepted(old + "Connection: keep-alive, close\r\n\r\n").keep_alive);
  check_refused({{"not a token", get("Connection: a b\r\n"), 400}});
}

TEST_CASE("head: versions (RFC 9112 2.3, RFC 9110 2.5)") {
  CHECK(accepted("GET / HTTP/1.9\r\nHost: a\r\n\r\n").minor_version == 9);
  CHECK(accepted("GET / HTTP/1.0\r\n\r\n").minor_version == 0);
  check_refused({
      {"HTTP/2 in clear (RFC 9113 3.4)", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"major 0", "GET / HTTP/0.9\r\n\r\n", 505},
      {"HTTP/0.9 has none", "GET /\r\n\r\n", 400},
      {"lower case", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
      {"two digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
      {"no digit", "GET / HTTP/1.x\r\nHost: a\r\n\r\n", 400},
      {"another protocol", "GET / RTSP/1.0\r\nHost: a\r\n\r\n", 400},
      {"too long, before the line ends", "GET / HTTP/1.1 and more", 400},
  });
}

TEST_CASE("head: malformed request lines (RFC 9112 3)") {
  const std::string rest = " HTTP/1.1\r\nHost: a\r\n\r\n";
  check_refused({
      {"method is no token", "G(T /" + rest, 400},
      {"method is no token, seen early", "G(T", 400},
      {"TLS inside TLS, seen early", "\x16\x03\x01", 400},
      {"leading space", " GET /" + rest, 400},
      {"two spaces after the method", "GET  /" + rest, 400},
      {"two spaces before the version", "GET / " + rest, 400},
      {"trailing space", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
      {"tab as separator", "GET\t/" + rest, 400},
      {"space in the target", "GET /a b" + rest, 400},
      {"obs-text in the target", "GET /\xc3\xa9" + rest, 400},
      {"obs-text in the target, seen early", "GET /\xc3", 400},
      {"tab in the target", "GET /a\tb" + rest, 400},
      {"DEL in the target", "GET /\x7f" + rest, 400},
      {"method alone", "GET\r\n\r\n", 400},
      {"CR LF in a place of its own", "GET /\r\n HTTP/1.1\r\nHost: a\r\n\r\n", 400},
  });
}

TEST_CASE("head: only CRLF ends a line (RFC 9112 2.2, RFC 9110 5.5)") {
  const std::string line = "GET / HTTP/1.1";
  const std::string nul(1, '\0');
  check_refused({
      {"bare LF after the request line", line + "\nHost: a\r\n\r\n", 400},
      {"bare LF after a field", line + "\r\nHost: a\n\r\n", 400},
      {"bare LF as the empty line", line + "\r\nHost: a\r\n\n", 400},
      {"bare LF before the request line", "\n" + line + "\r\nHost: a\r\n\r\n", 400},
      {"bare CR in the request line", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"bare CR in a value", get("X: a\rb\r\n"), 400},
      {"CR CR LF", get("X: a\r\r\n"), 400},
      {"NUL in a value", get("X: " + nul + "\r\n"), 400},
      {"NUL in a name", get("X" + nul + ": a\r\n"), 400},
      {"NUL in the target", "GET /" + nul + " HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"NUL, before its line ends", "GET / HTTP/1.1\r\nX: " + nul, 400},
      {"another control in a value", get("X: \x1b[0m\r\n"), 400},
      {"DEL in a value", get("X: \x7f\r\n"), 400},
  });
  CHECK(accepted(get("X: a\tb \xff\r\n")).target == "/");  // HTAB and obs-text may stand in a value
}

TEST_CASE("head: malformed fields (RFC 9112 5, 5.1, 5.2)") {
  check_refused({
      {"folded", get("X: a\r\n b\r\n"), 400},
      {"folded with a tab", get("X: a\r\n\tb\r\n"), 400},
      {"space before the first field (RFC 9112 2.2)",
       "GET / HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n", 400},
      {"a line of spaces", get(" \r\n"), 400},
      {"space before the colon", get("X : a\r\n"), 400},
      {"tab before the colon", get("X\t: a\r\n"), 400},
      {"empty name", get(": a\r\n"), 400},
      {"no colon", get("X\r\n"), 400},
      {"name is no token", get("X(1): a\r\n"), 400},
      {"name has obs-text", get("X\xe9: a\r\n"), 400},
  });
}

TEST_CASE("head: Host (RFC 9112 3.2, RFC 9110 7.2)") {
  const auto with = [](const std::string& host) {
    return "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
  };
  for (const char* host : {"a", "a.b-c.example:8443", "a:", "127.0.0.1", "[::1]", "[::1]:8443",
                           "[::ffff:1.2.3.4]", "a%2eb", "_x~!$&'()*+,;="}) {
    CHECK(accepted(with(host)).host == host);
  }
  CHECK(accepted("GET / HTTP/1.0\r\n\r\n").host.data() == nullptr);
  check_refused({
      {"absent in 1.1", "GET / HTTP/1.1\r\n\r\n", 400},
      {"absent in 1.1 with absolute-form", "GET http://a/ HTTP/1.1\r\n\r\n", 400},
      {"repeated", get("Host: a\r\n"), 400},
      {"repeated in 1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400},
      {"repeated, first empty", "GET / HTTP/1.0\r\nHost:\r\nHost: a\r\n\r\n", 400},
      {"invalid in 1.0", "GET / HTTP/1.0\r\nHost: a/b\r\n\r\n", 400},
      {"empty (RFC 9110 4.2.2)", with(""), 400},
      {"port alone", with(":80"), 400},
      {"port is no number", with("a:b"), 400},
      {"two ports", with("a:1:2"), 400},
      {"userinfo", with("u@a"), 400},
      {"slash", with("a/b"), 400},
      {"space", with("a b"), 400},
      {"list", with("a, b"), 400},
      {"bad escape", with("a%2"), 400},
      {"bad escape digits", with("a%zz"), 400},
      {"obs-text", with("\xc3\xa9"), 400},
      {"open bracket", with("[::1"), 400},
      {"empty brackets", with("[]"), 400},
      {"something after the bracket", with("[::1]a"), 400},
      {"zone identifier", with("[fe80::1%25eth0]"), 400},
  });
}

TEST_CASE("head: framing (RFC 9112 6.1, 6.2, 6.3)") {
  CHECK_FALSE(accepted(get("Content-Length: 0\r\n")).has_body);
  const RequestHead sized = accepted(get("content-length: 18446744073709551615\r\n"));
  CHECK(sized.has_body);
  CHECK(sized.content_length == UINT64_MAX);
  CHECK_FALSE(sized.chunked);
  const RequestHead chunked = accepted(get("Transfer-Encoding: Chunked\r\n"));
  CHECK(chunked.has_body);
  CHECK(chunked.chunked);
  check_refused({
      {"both", get("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"both, the other way round", get("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"),
       400},
      {"repeated, different", get("Content-Length: 1\r\nContent-Length: 2\r\n"), 400},
      {"repeated, equal", get("Content-Length: 1\r\nContent-Length: 1\r\n"), 400},
      {"list", get("Content-Length: 1, 1\r\n"), 400},
      {"empty", get("Content-Length:\r\n"), 400},
      {"sign", get("Content-Length: +1\r\n"), 400},
      {"negative", get("Content-Length: -1\r\n"), 400},
      {"hexadecimal", get("Content-Length: 0x1\r\n"), 400},
      {"space inside", get("Content-Length: 1 1\r\n"), 400},
      {"2^64", get("Content-Length: 18446744073709551616\r\n"), 400},
      {"far too large", get("Content-Length: 99999999999999999999999\r\n"), 400},
      {"another coding before it", get("Transfer-Encoding: gzip, chunked\r\n"), 501},
      {"another coding", get("Transfer-Encoding: gzip\r\n"), 400},
      {"chunked is not the last", get("Transfer-Encoding: chunked, gzip\r\n"), 400},
      {"a parameter", get("Transfer-Encoding: chunked;q=1\r\n"), 400},
      {"almost", get("Transfer-Encoding: xchunked\r\n"), 400},
      {"quoted", get("Transfer-Encoding: \"chunked\"\r\n"), 400},
      {"empty elements and nothing else", get("Transfer-Encoding: , ,\r\n"), 400},
      {"space before the colon (RFC 9112 5.1)", get("Transfer-Encoding : chunked\r\n"), 400},
      {"folded (RFC 9112 5.2)", get("Transfer-Encoding:\r\n chunked\r\n"), 400},
      {"identity", get("Transfer-Encoding: identity\r\n"), 400},
      {"chunked twice", get("Transfer-Encoding: chunked, chunked\r\n"), 400},
      {"repeated coding", get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"empty coding", get("Transfer-Encoding:\r\n"), 400},
      {"vertical tab before chunked", get("Transfer-Encoding: \vchunked\r\n"), 400},
      {"in HTTP/1.0", "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
  });
}

TEST_CASE("head: repeated fields (RFC 9110 5.3)") {
  check_refused({
      {"Range", get("Range: bytes=0-1\r\nRange: bytes=0-1\r\n"), 400},
      {"If-Range", get("If-Range: \"a\"\r\nIf-Range: \"a\"\r\n"), 400},
      {"If-Unmodified-Since", get("If-Unmodified-Since:\r\nIf-Unmodified-Since: a\r\n"), 400},
  });
}

namespace {

std::vector<std::string> lines_of(ListField list) {
  std::vector<std::string> lines;
  std::string_view line;
  while (take_line(list, line)) lines.emplace_back(line);
  return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("head: the lines of a list are one list (RFC 9110 5.3)") {
  const RequestHead head =
      accepted(get("Accept-Encoding: gzip\r\nIf-None-Match: \"a\"\r\nX: If-None-Match: \"x\"\r\n"
                   "IF-NONE-MATCH:\r\nIf-None-Match-Not: \"y\"\r\naccept-encoding:br , zstd\t\r\n"
                   "if-none-match: \"b\", \"c\"\r\nAccept: a/b\r\nIf-Match: *\r\nAccept:\r\n"));
  CHECK(lines_of(head.if_none_match) == Lines{"\"a\"", "", "\"b\", \"c\""});
  CHECK(lines_of(head.accept_encoding) == Lines{"gzip", "br , zstd"});
  CHECK(lines_of(head.accept) == Lines{"a/b", ""});
  CHECK(lines_of(head.if_match) == Lines{"*"});
  CHECK(lines_of(accepted(get("")).if_match).empty());
}

// Of every field that is read, what its repetition means: one list, or a refusal. What is in no row
// is not read.
TEST_CASE("head: each field in two lines (RFC 9110 5.3)") {
  struct Row {
    const char* lines;
    bool (*holds)(const RequestHead&);  // null: refused
  };
  const Row rows[] = {
      {"Connection: x\r\nConnection: close", [](const RequestHead& h) { return !h.keep_alive; }},
      {"Expect: x\r\nExpect: 100-continue", [](const RequestHead& h) { return h.expect_continue; }},
      {"Connection: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\nUpgrade: WebSocket",
       [](const RequestHead& h) { return h.upgrades_to_websocket; }},
      {"Connection: upgrade\r\nUpgrade: h2c, websocket",
       [](const RequestHead& h) { return h.upgrades_to_websocket; }},
      {"Connection: upgrade\r\nUpgrade: xwebsocket, websocketx",
       [](const RequestHead& h) { return !h.upgrades_to_websocket; }},
      {"Host: a", nullptr},
      {"Content-Length: 1\r\nContent-Length: 1", nullptr},
      {"Content-Length: 1, 1", nullptr},
      {"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", nullptr},
      {"Range: bytes=0-1\r\nRange: bytes=2-3", nullptr},
      {"If-Range: \"a\"\r\nIf-Range: \"a\"", nullptr},
      {"If-Unmodified-Since: a\r\nIf-Unmodified-Since: a", nullptr},
      {"Content-Range: bytes 0-1/2\r\nContent-Range: bytes 0-1/2", nullptr},
  };
  for (const Row& row : rows) {
    CAPTURE(row.lines);
    RequestHead head;
    const std::string input = get(std::string(row.lines) + "\r\n");
    const bool whole = parse_head(input, head).outcome == Outcome::Complete;
    CHECK(whole == (row.holds != nullptr));
    if (whole && row.holds != nullptr) CHECK(row.holds(head));
  }
}

TEST_CASE("head: Expect (RFC 9110 10.1.1)") {
  CHECK(accepted(get("Expect: 100-Continue\r\n")).expect_continue);
  CHECK(accepted(get("Expect: other, 100-continue\r\n")).expect_continue);
  CHECK_FALSE(accepted(get("Expect: 200-ok\r\n")).expect_continue);
  CHECK_FALSE(accepted("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expect_continue);
}

TEST_CASE("head: a rejected HEAD is still known to be one (RFC 9110 9.3.2)") {
  RequestHead head;
  CHECK(parse_head("HEAD / HTTP/1.1\r\n\r\n", head).outcome == Outcome::Rejected);
  CHECK(head.method == Method::Head);
}

TEST_CASE("head: bounds (RFC 9110 15.5.15, RFC 6585 5)") {
  const std::string tail = " HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string longest = "/" + std::string(limits::kTargetBytesMax - 1, 'a');
  CHECK(accepted("GET " + longest + tail).target.size() == limits::kTargetBytesMax);

  std::string many;  // with Host one less than the bound
  for (size_t i = 1; i < limits::kHeaderFieldsMax; ++i) many += "X: a\r\n";
  CHECK(accepted(get(many)).keep_alive);

  const std::string frame = get("X: \r\n");
  const auto head_of = [&](size_t bytes) {
    return get("X: " + std::string(bytes - frame.size(), 'a') + "\r\n");
  };
  CHECK(accepted(head_of(limits::kHeadBytesMax)).target == "/");

  const std::string open = get(many).substr(0, get(many).size() - 2);
  const std::string endless = "GET / HTTP/1.1\r\nX: " + std::string(limits::kHeadBytesMax, 'a');
  check_refused({
      {"target", "GET " + longest + "a" + tail, 414},
      {"target, before it ends", "GET " + longest + "a", 414},
      {"fields", get(many + "X: a\r\n"), 431},
      {"fields, at the first byte of one too many", open + "X", 431},
      {"head", head_of(limits::kHeadBytesMax + 1), 431},
      {"head, before it ends", endless.substr(0, limits::kHeadBytesMax), 431},
      {"head in a method", std::string(limits::kHeadBytesMax, 'A'), 431},
  });
  RequestHead head;
  CHECK(parse_head(endless.substr(0, limits::kHeadBytesMax - 1), head).outcome ==
        Outcome::Incomplete);
  CHECK(parse_head(open + "\r", head).outcome == Outcome::Incomplete);
}

TEST_CASE("head: every prefix of a good head is incomplete, and none is consumed") {
  const std::string input =
      "\r\nHEAD https://a/b?c HTTP/1.1\r\nHost: a:1\r\nConnection: close\r\nRange: "
      "bytes=1-\r\n\r\n";
  for (size_t size = 0; size < input.size(); ++size) {
    RequestHead head;
    const HeadResult result = parse_head(std::string_view(input).substr(0, size), head);
    CAPTURE(size);
    CHECK(result.outcome == Outcome::Incomplete);
    CHECK(result.consumed == 0);
  }
  CHECK(accepted(input).method == Method::Head);
  RequestHead head;
  CHECK(parse_head(std::string_view(), head).outcome == Outcome::Incomplete);
}
