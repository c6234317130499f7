// SPDX-License-Identifier: Apache-2.0
// What a proxy route reads of an application and writes for both ends; where a WebSocket's frames
// end.
#include <string>

#include "doctest/doctest.h"
#include "http/upstream_request.hpp"
#include "http/upstream_response.hpp"
#include "http/websocket.hpp"
#include "http/writer.hpp"

using namespace spliced::http;

namespace {

UpstreamHeadResult parse(const std::string& input, UpstreamHead& out) {
  return parse_upstream_head(input, out);
}

Outcome outcome_of(const std::string& fields, const std::string& line = "HTTP/1.1 200 OK") {
  UpstreamHead head;
  return parse(line + "\r\n" + fields + "\r\n", head).outcome;
}

Framing framing(const std::string& fields, const std::string& line = "HTTP/1.1 200 OK",
                bool to_head = false) {
  UpstreamHead head;
  const std::string input = line + "\r\n" + fields + "\r\n";
  REQUIRE(parse(input, head).outcome == Outcome::Complete);
  return framing_of(head, to_head);
}

}  // namespace

TEST_CASE("the end of an application's body is decided once, or not at all") {
  CHECK(framing("Content-Length: 5\r\n") == Framing::Length);
  CHECK(framing("Transfer-Encoding: Chunked\r\n") == Framing::Chunked);
  CHECK(framing("") == Framing::Close);
  CHECK(framing("", "HTTP/1.0 200 OK") == Framing::Close);
  CHECK(framing("Content-Length: 5\r\n", "HTTP/1.1 304 Not Modified") == Framing::None);
  CHECK(framing("Content-Length: 5\r\n", "HTTP/1.1 204 No Content") == Framing::None);
  CHECK(framing("Transfer-Encoding: chunked\r\n", "HTTP/1.1 200 OK", true) == Framing::None);
  for (const char* fields :
       {"Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 5, 5\r\n",
        "Content-Length: -1\r\n", "Content-Length: 0x5\r\n", "Content-Length:\r\n",
        "Content-Length: 99999999999999999999\r\n", "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n", "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding:\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "A : b\r\n", " A: b\r\n", "A\r\n",
        "A: b\n", "A: b\rc\r\n", "Connection: a b\r\n"}) {
    CAPTURE(fields);
    CHECK(outcome_of(fields) == Outcome::Rejected);
  }
  CHECK(outcome_of("Transfer-Encoding: chunked\r\n", "HTTP/1.0 200 OK") == Outcome::Rejected);
}

TEST_CASE("a status line has one form") {
  for (const char* line : {"HTTP/1.1 200 OK", "HTTP/1.1 200 ", "HTTP/1.1 200", "HTTP/1.0 599 x y"})
    CHECK(outcome_of("", line) == Outcome::Complete);
  for (const char* line :
       {"", "HTTP/2.0 200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000", "HTTP/1.1 600 A",
        "HTTP/1.1 099 A", "HTTP/1.1  200 OK", "http/1.1 200 OK", "ICY 200 OK ok"})
    CHECK(outcome_of("", line) == Outcome::Rejected);
}

TEST_CASE("of an application's head goes on what is for the client") {
  const std::string input =
      "HTTP/1.1 200 Fine\r\nServer: it\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n"
      "Keep-Alive: timeout=5\r\nUpgrade: h2\r\nTrailer: T\r\nX-Frame-Options: ALLOWALL\r\n"
      "Set-Cookie: a\r\nSet-Cookie: b\r\nTransfer-Encoding: chunked\r\n\r\n";
  UpstreamHead head;
  REQUIRE(parse(input, head).outcome == Outcome::Complete);
  CHECK_FALSE(head.keep_alive);
  Relay relay;
  relay.framing = Framing::Chunked;
  relay.keep_alive = true;
  relay.date = "now";
  relay.fields = "X-Frame-Options: DENY\r\n";
  char out[1000];
  const size_t bytes = format_relayed_head(input, head, relay, out, sizeof out);
  CHECK(std::string(out, bytes) ==
        "HTTP/1.1 200 Fine\r\nServer: it\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nDate: now\r\n"
        "X-Frame-Options: DENY\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n");
  CHECK(format_relayed_head(input, head, relay, out, 50) == 0);
}

TEST_CASE("a 426 says to what; elsewhere Upgrade is for one connection alone") {
  const auto relayed = [](const std::string& input) {
    UpstreamHead head;
    REQUIRE(parse(input, head).outcome == Outcome::Complete);
    Relay relay;
    relay.keep_alive = true;
    relay.date = "now";
    char out[500];
    return std::string(out, format_relayed_head(input, head, relay, out, sizeof out));
  };
  CHECK(
      relayed("HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: websocket, x/1\r\n"
              "A: b\r\nUpgrade: y\r\n\r\n") ==
      "HTTP/1.1 426 Upgrade Required\r\nA: b\r\nDate: now\r\nConnection: keep-alive, Upgrade\r\n"
      "Upgrade: websocket, x/1\r\nUpgrade: y\r\n\r\n");
  CHECK(relayed("HTTP/1.1 426 Upgrade Required\r\n\r\n").find("pgrade\r\n") == std::string::npos);
  CHECK(relayed("HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: h2c\r\nUpgrade: h2\r\n\r\n") ==
        "HTTP/1.1 200 OK\r\nDate: now\r\nConnection: keep-alive\r\n\r\n");
}

TEST_CASE("fields whose names a program behind a gateway interface takes for others stay here") {
  const std::string input =
      "GET / HTTP/1.1\r\nHost: a\r\nContent_Length: 5\r\nTransfer_Encoding: chunked\r\n"
      "X_Forwarded_For: 1.2.3.4\r\nX.Request.Id: 1\r\nX-Forwarded-Any: 2\r\nProxy: x\r\n"
      "Content!Type: a\r\nX-Own-2: yes\r\n\r\n";
  RequestHead request;
  REQUIRE(parse_head(input, request).outcome == Outcome::Complete);
  Forwarding forwarding;
  forwarding.host = "a";
  forwarding.client_address = "192.0.2.1";
  forwarding.request_id = "id";
  char out[1000];
  const size_t bytes = format_upstream_request(input, request, forwarding, out, sizeof out);
  CHECK(std::string(out, bytes) ==
        "GET / HTTP/1.1\r\nHost: a\r\nX-Own-2: yes\r\nX-Forwarded-For: 192.0.2.1\r\n"
        "X-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\n"
        "Forwarded: for=192.0.2.1;host=\"a\";proto=https\r\nX-Request-Id: id\r\n\r\n");
}

TEST_CASE("the cookie of who has signed in at the service goes to the service alone") {
  const auto passed = [](std::string_view value, bool own = false) {
    char buffer[512];
    Writer writer(buffer, sizeof buffer);
    write_passed_on("Cookie", value, own, writer);
    return std::string(buffer, writer.size());
  };
  CHECK(passed("a=1; b=2") == "Cookie: a=1; b=2\r\n");
  CHECK(passed("__Host-spliced=k", true) == "Cookie: __Host-spliced=k\r\n");
  for (const char* alone : {"__Host-spliced=k", " __Host-spliced = k ;", "__Host-spliced",
                            "__Host-spliced=k; __Host-spliced=l;;"}) {
    CAPTURE(alone);
    CHECK(passed(alone).empty());
  }
  for (const char* some : {"a=1; __Host-spliced=k; b=2", "__Host-spliced=k;a=1;b=2",
                           "a=1;  b=2;\t__Host-spliced=k"}) {
    CAPTURE(some);
    CHECK(passed(some) == "Cookie: a=1; b=2\r\n");
  }
  // Others that only look like it, and another field.
  CHECK(passed("a=__Host-spliced; __Host-spliced2=x") ==
        "Cookie: a=__Host-spliced; __Host-spliced2=x\r\n");
}

TEST_CASE("a target is sent in origin-form, and one with dot segments not at all") {
  CHECK(origin_form("/a?b") == "/a?b");
  CHECK(origin_form("http://host:1/a?b") == "/a?b");
  CHECK(origin_form("http://host") == "/");
  CHECK(origin_form("http://host?b") == "?b");
  for (const char* target :
       {"/.",      "/..",           "/a/../b",  "/a/.",        "/%2e",           "/a/%2E./b",
        "/.%2e?c", "http://a/../b", "/a/..;/b", "/a/..;x=1/b", "/a/%2e%2e%3B/b", "/a/.;",
        "/a/;/b",  "/a/;x",         "/a\\b",    "/a/..\\b",    "/a/..%5cb",      "/%5C",
        "/a%5c?b", "/a/..%2fb"})
    CHECK(is_ambiguous_path(target));
  for (const char* target :
       {"/", "/...", "/.a", "/a.", "/a?/../", "/%2e%2e%2e", "/%2f", "/..a/b", "/a;x=1/b",
        "/a/b;jsessionid=..", "/a?b\\c", "/a?..;/", "/...;x", "/%252e%252e/a"})
    CHECK_FALSE(is_ambiguous_path(target));
}

TEST_CASE("the end of a WebSocket's frame is found however its bytes come") {
  struct Frame {
    std::string header;
    size_t payload;
  };
  const Frame frames[] = {{{"\x81\x00", 2}, 0},
                          {{"\x01\x05", 2}, 5},
                          {{"\x82\x85mask", 6}, 5},
                          {{"\x82\x7e\x01\x00", 4}, 256},
                          {{"\x82\xfe\x00\x80mask", 8}, 128},
                          {{"\x82\x7f\0\0\0\0\0\1\0\0", 10}, 65536},
                          {{"\x82\xff\0\0\0\0\0\1\0\1mask", 14}, 65537},
                          {{"\x89\x01", 2}, 1}};
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{1} << 20}) {
    WebSocketFrames seen;
    for (const Frame& frame : frames) {
      const std::string bytes = frame.header + std::string(frame.payload, '\x88');
      CHECK(seen.may_insert());
      for (size_t at = 0; at < bytes.size(); at += piece) {
        seen.pass(std::string_view(bytes).substr(at, piece));
        CHECK(seen.may_insert() == (at + piece >= bytes.size()));
      }
    }
    seen.pass(kGoingAwayMasked);
    CHECK_FALSE(seen.may_insert());  // nothing follows a Close
  }
}
