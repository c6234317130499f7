// SPDX-License-Identifier: Apache-2.0
// Fields of HTTP/2 as HTTP/1.1's head: what is written, and what must never be.
#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <utility>

#include "http/head.hpp"
#include "http/request_fields.hpp"

using namespace spliced::http;
using Verdict = RequestFields::Verdict;

namespace {

using Pairs = std::initializer_list<std::pair<std::string_view, std::string_view>>;

Verdict write(Pairs more, std::string& out, bool ends = true, size_t bytes_max = 8192) {
  RequestFields fields;
  for (const auto& [name, value] : more) fields.add(name, value, bytes_max);
  return fields.finish(ends, out);
}

std::string head_of(Pairs fields, bool ends = true) {
  std::string out;
  CHECK(write(fields, out, ends) == Verdict::Good);
  return out;
}

// Behind the pseudo-header fields of a good request.
Verdict with(std::string_view name, std::string_view value, bool ends = true) {
  std::string out;
  return write({{":method", "GET"},
                {":scheme", "https"},
                {":path", "/"},
                {":authority", "a"},
                {name, value}},
               out, ends);
}

}  // namespace

TEST_CASE("a request is the head that HTTP/1.1 has for it") {
  CHECK(head_of({{":method", "GET"},
                 {":scheme", "https"},
                 {":authority", "a:1"},
                 {":path", "/x?y"},
                 {"accept", "text/html"},
                 {"cookie", "a=1"},
                 {"cookie", "b=2"},
                 {"te", "trailers"}}) ==
        "GET /x?y HTTP/1.1\r\nhost: a:1\r\nte: trailers\r\nconnection: te\r\n"
        "cookie: a=1; b=2\r\naccept: text/html\r\n\r\n");
  CHECK(head_of({{":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {"host", "b"}}) ==
        "GET / HTTP/1.1\r\nhost: b\r\n\r\n");
  CHECK(head_of({{":method", "POST"}, {":scheme", "https"}, {":path", "/"}, {":authority", "a"}},
                /*ends=*/false) ==
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
  CHECK(head_of({{":method", "POST"},
                 {":scheme", "https"},
                 {":path", "/"},
                 {":authority", "a"},
                 {"content-length", "5"}},
                /*ends=*/false) == "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n");
  CHECK(head_of({{":method", "CONNECT"}, {":authority", "a:443"}}) ==
        "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n");
}

TEST_CASE("what would be read in another way is malformed") {
  CHECK(with("accept", "x\r\nx-evil: 1") == Verdict::Malformed);
  CHECK(with("accept", std::string_view("x\0y", 3)) == Verdict::Malformed);
  CHECK(with("Accept", "x") == Verdict::Malformed);
  CHECK(with("ac cept", "x") == Verdict::Malformed);
  CHECK(with("a:b", "x") == Verdict::Malformed);
  CHECK(with("", "x") == Verdict::Malformed);
  CHECK(with("connection", "close") == Verdict::Malformed);
  CHECK(with("transfer-encoding", "chunked") == Verdict::Malformed);
  CHECK(with("upgrade", "websocket") == Verdict::Malformed);
  CHECK(with("te", "gzip") == Verdict::Malformed);
  CHECK(with("host", "b") == Verdict::Malformed);
  CHECK(with(":path", "/again") == Verdict::Malformed);
  CHECK(with(":protocol", "websocket") == Verdict::Malformed);
  CHECK(with("content-length", "3") == Verdict::Malformed);  // and no body comes
  CHECK(with("host", "A") == Verdict::Good);
  std::string out;
  for (const std::string_view path : {"", "x", "/a b", "/a\r\nb: c", "http://b/"})
    CHECK(write({{":method", "GET"}, {":scheme", "https"}, {":path", path}}, out) ==
          Verdict::Malformed);
  for (const std::string_view method : {"", "GET /x", "G\tT"})
    CHECK(write({{":method", method}, {":scheme", "https"}, {":path", "/"}}, out) ==
          Verdict::Malformed);
  CHECK(write({{":method", "GET"}, {":path", "/"}}, out) == Verdict::Malformed);
  CHECK(write({{":method", "GET"}, {"x", "y"}, {":scheme", "https"}, {":path", "/"}}, out) ==
        Verdict::Malformed);
  CHECK(write({{":method", "CONNECT"}, {":authority", "a"}, {":path", "/"}}, out) ==
        Verdict::Malformed);
}

TEST_CASE("an extended CONNECT for a WebSocket is the GET that opens one (RFC 8441 5)") {
  const auto open = [](Pairs more, bool ends = false) {
    RequestFields fields;
    for (const auto& [name, value] : more) fields.add(name, value, 8192);
    std::string out;
    const Verdict verdict = fields.finish(ends, out, "key==");
    CHECK((verdict != Verdict::Good || fields.opens_websocket()));
    return std::make_pair(verdict, out);
  };
  const std::string written =
      "GET /chat?a HTTP/1.1\r\nhost: a:1\r\nsec-websocket-version: 13\r\n"
      "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: key==\r\n\r\n";
  for (const bool ends : {false, true}) {
    const auto [verdict, head] = open({{":method", "CONNECT"},
                                       {":protocol", "WebSocket"},
                                       {":scheme", "https"},
                                       {":path", "/chat?a"},
                                       {":authority", "a:1"},
                                       {"sec-websocket-version", "13"},
                                       {"sec-websocket-key", "theirs"}},
                                      ends);
    CHECK(verdict == Verdict::Good);
    CHECK(head == written);
    RequestHead parsed;
    CHECK(parse_head(head, parsed).outcome == Outcome::Complete);
    CHECK(parsed.upgrades_to_websocket);
    CHECK_FALSE(parsed.has_body);
  }
  const auto with_protocol = [&](std::string_view method, std::string_view protocol, Pairs more) {
    RequestFields fields;
    fields.add(":method", method, 8192);
    fields.add(":protocol", protocol, 8192);
    for (const auto& [name, value] : more) fields.add(name, value, 8192);
    std::string out;
    return fields.finish(/*ends=*/false, out);
  };
  const Pairs whole = {{":scheme", "https"}, {":path", "/"}, {":authority", "a"}};
  CHECK(with_protocol("CONNECT", "connect-udp", whole) == Verdict::OtherProtocol);
  CHECK(with_protocol("CONNECT", "", whole) == Verdict::OtherProtocol);
  CHECK(with_protocol("GET", "websocket", whole) == Verdict::Malformed);
  CHECK(with_protocol("CONNECT", "websocket", {{":authority", "a"}}) == Verdict::Malformed);
  CHECK(with_protocol("CONNECT", "websocket", {{":scheme", "https"}, {":path", "/"}}) ==
        Verdict::Malformed);
  CHECK(with_protocol("CONNECT", "websocket",
                      {{":scheme", "https"},
                       {":path", "/"},
                       {":authority", "a"},
                       {"content-length", "0"}}) == Verdict::Malformed);
  CHECK(with_protocol("CONNECT", "websocket", {{":protocol", "websocket"}}) == Verdict::Malformed);
}

TEST_CASE("a head that is too long is said to be, and its method known") {
  RequestFields fields;
  fields.add("x", std::string(100, 'x'), 50);
  fields.add(":method", "HEAD", 50);
  std::string out;
  CHECK(write({{":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {"x", "0123456789"}}, out,
              true, 20) == Verdict::TooLarge);
  RequestFields late;
  late.add(":path", std::string(100, 'x'), 50);
  late.add(":method", "HEAD", 50);
  CHECK(late.is_head_request());
  CHECK(late.bytes() == 116);
}
