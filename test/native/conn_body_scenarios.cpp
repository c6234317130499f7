// SPDX-License-Identifier: Apache-2.0
// Scenarios: request bodies where no route takes one (RFC 9112 6 and 9.6, RFC 9110 10.1.1). They
// are discarded within bounds and the next request is found behind them, or the connection ends
// after the response.
#include <ostream>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "fakes/world.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::Ending;
using conn::State;

namespace {

const std::string kSized = "Content-Length: 5\r\n";
const std::string kChunked = "Transfer-Encoding: chunked\r\n";
const std::string kChunks = "3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nDigest: x\r\n\r\n";

Peer connect(World& world, bool kernel_tls) {
  return world.connect([&](Socket&, TlsScript& script) {
    if (!kernel_tls) script.outcome = tls::Promotion::Outcome::UserSpace;
  });
}

std::vector<int> statuses(const Peer& peer) {
  std::vector<int> all;
  for (const Response& response : peer.responses()) {
    CHECK(response.whole);
    all.push_back(response.status);
  }
  return all;
}

bool says_close(const Response& response) {
  return response.head.find("Connection: close\r\n") != std::string::npos;
}

}  // namespace

TEST_CASE("body: the request behind a discarded one is answered, in order, however both arrive") {
  const std::string all = Peer::request("GET", "/ten", kSized) + "hello" +
                          Peer::request("POST", "/ten", kChunked) + kChunks +
                          Peer::request("HEAD", "/absent", kChunked) + "0\r\n\r\n" +
                          Peer::request("GET", "/ten");
  for (const bool kernel_tls : {true, false}) {
    for (const size_t piece : {size_t{1}, size_t{17}, size_t{100}, all.size()}) {
      CAPTURE(kernel_tls);
      CAPTURE(piece);
      World world;
      world.site.write("ten", 10);
      const Peer peer = connect(world, kernel_tls);
      world.turns();
      for (size_t at = 0; at < all.size(); at += piece) {
        peer.sends(all.substr(at, piece));
        world.turns();
      }
      world.pump(peer);
      const std::vector<Response> got = peer.responses({false, false, true, false});
      REQUIRE(got.size() == 4);
      CHECK(got[0].body == Site::content("ten", 10));
      CHECK(got[1].status == 405);
      CHECK(got[2].status == 404);
      CHECK(got[3].body == Site::content("ten", 10));
      CHECK(world.state(peer) == State::ReadHead);
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("body: one that waits holds nothing up but itself, and has the request's time") {
  conn::Options options = World::small_options();
  options.request_timeout_ms = 4000;
  World world(options);
  world.site.write("ten", 10);
  const Peer slow = world.connect(), other = world.connect();
  slow.sends(Peer::request("GET", "/ten", "Content-Length: 100\r\n").substr(0, 20));
  world.advance(1000);  // of the head's 1500
  slow.sends(Peer::request("GET", "/ten", "Content-Length: 100\r\n").substr(20));
  world.turns();
  CHECK(world.state(slow) == State::ReadBody);
  for (int i = 0; i < 26; i++) {
    slow.sends("x");
    other.get("/ten");
    world.advance(100);
    world.pump(other, 1);
  }
  CHECK(other.responses().size() == 26);
  CHECK(world.state(slow) == State::ReadBody);
  world.advance(200);  // since the first byte of its head
  CHECK(slow.responses().empty());
  world.run_to_end(slow);
  CHECK(world.ending(slow) == Ending::Drained);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("body: too large a body has its response, and the client can read it") {
  struct Row {
    const char* rule;
    std::string fields, body;
  };
  for (const Row& row : {
           Row{"known at once", "Content-Length: 1000000\r\n", "hello"},
           Row{"2^64-1", "Content-Length: 18446744073709551615\r\n", ""},
           Row{"a chunk's size", kChunked, "fffff\r\nhello"},
           Row{"many small chunks", kChunked, "1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n"},
       }) {
    for (const bool kernel_tls : {true, false}) {
      CAPTURE(row.rule);
      CAPTURE(kernel_tls);
      conn::Options options = World::small_options();
      options.discarded_body_bytes_max = 20;
      World world(options);
      world.site.write("ten", 10);
      const Peer peer = connect(world, kernel_tls);
      peer.sends(Peer::request("GET", "/ten", row.fields) + row.body);
      for (int i = 0; i < 20; i++) {  // and it goes on while the server ends
        world.pump(peer, 1);
        if (!peer.socket().closed()) peer.sends("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
      }
      world.run_to_end(peer);
      const std::vector<Response> got = peer.responses();
      REQUIRE(got.size() == 1);
      CHECK(got[0].body == Site::content("ten", 10));
      CHECK(says_close(got[0]));
      CHECK(peer.socket().fin_arrived());
      CHECK(world.ending(peer) == Ending::Drained);
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("body: a malformed one is 400, and nothing behind it is a request (RFC 9112 7.1)") {
  for (const std::string body :
       {"5\nhello\r\n0\r\n\r\n", "x\r\n", "5\r\nhello!\r\n", "5 \r\nhello\r\n0\r\n\r\n",
        "0\r\n X: y\r\n\r\n", "0x1\r\nx\r\n0\r\n\r\n", "10000000000000000\r\n"}) {
    for (const char* method : {"GET", "HEAD"}) {
      CAPTURE(body);
      CAPTURE(method);
      World world;
      world.site.write("ten", 10);
      const Peer peer = world.connect();
      peer.sends(Peer::request(method, "/ten", kChunked) + body +
                 Peer::request("GET", "/smuggled"));
      world.run_to_end(peer);
      const std::vector<Response> got = peer.responses({method == std::string("HEAD")});
      REQUIRE(got.size() == 1);
      CHECK(got[0].status == 400);
      CHECK(says_close(got[0]));
      CHECK(world.ending(peer) == Ending::Drained);
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("body: who expects 100 gets the final status at once, and the end (RFC 9110 10.1.1)") {
  for (const std::string& fields : {kSized, kChunked}) {
    World world;
    world.site.write("ten", 10);
    const Peer peer = world.connect();
    peer.sends(Peer::request("POST", "/ten", fields + "Expect: 100-continue\r\n"));
    world.pump(peer);
    CHECK(statuses(peer) == std::vector<int>{405});
    CHECK(says_close(peer.responses()[0]));
    peer.sends("hello");  // it may have decided not to wait
    world.run_to_end(peer);
    CHECK(statuses(peer) == std::vector<int>{405});
    CHECK(world.ending(peer) == Ending::Drained);
    CHECK(world.settle_accounts() == "");
  }
  World world;  // without a body there is nothing to expect
  world.site.write("ten", 10);
  const Peer peer = world.connect();
  for (int i = 0; i < 2; i++) peer.get("/ten", "Expect: 100-continue\r\n");
  world.pump(peer);
  CHECK(statuses(peer) == std::vector<int>{200, 200});
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("body: the peer's end, an alert or a stop in the middle of one") {
  for (const int what : {0, 1, 2, 3, 4}) {
    CAPTURE(what);
    World world;
    world.site.write("ten", 10);
    const Peer peer = world.connect();
    peer.sends(Peer::request("GET", "/ten", kSized) + "he");
    world.turns();
    REQUIRE(world.state(peer) == State::ReadBody);
    if (what == 0) peer.socket().peer_half_closes();
    if (what == 1) peer.says_goodbye();
    if (what == 2) peer.socket().peer_resets();
    if (what == 3) conn::begin_stop(*world.services);
    if (what == 4) peer.handshake_message(24);
    if (what == 3) peer.sends("llo");
    world.run_to_end(peer);
    CHECK(peer.responses().size() == (what == 3 ? 1 : 0));
    CHECK(world.ending(peer) == (what == 2 || what == 4 ? Ending::PeerGone : Ending::Drained));
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("body: a file that is not in memory is opened behind it") {
  World world;
  world.site.write("ten", 10);
  kernel().names_resident = false;
  const Peer peer = world.connect();
  for (int i = 0; i < 2; i++) peer.sends(Peer::request("GET", "/ten", kChunked) + kChunks);
  world.pump(peer);
  CHECK(statuses(peer) == std::vector<int>{200, 200});
  CHECK(world.state(peer) == State::ReadHead);
  CHECK(world.settle_accounts() == "");
}
