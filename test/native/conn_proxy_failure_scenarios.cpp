// SPDX-License-Identifier: Apache-2.0
// Scenarios: an application behind a proxy route, or its client, that goes wrong.
#include <errno.h>

#include <string>

#include "doctest/doctest.h"
#include "fakes/proxied.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::Ending;
using conn::State;
using conn::UpstreamFailure;

TEST_CASE("a body that ends with the connection is whole; one that was promised longer is not") {
  struct Case {
    const char* head;
    bool whole;
  };
  for (const Case& one :
       {Case{"HTTP/1.1 200 OK\r\n\r\n", true},
        Case{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", false},
        Case{"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", false},
        Case{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n", false}}) {
    CAPTURE(one.head);
    for (const Path path : kPaths) {
      Proxied world;
      const Peer peer = connect(world, path);
      peer.get("/");
      world.play(peer);
      world.application().peer_sends(std::string(one.head) + "some of it");
      world.play(peer);
      world.application().peer_half_closes();
      world.play(peer);
      if (one.whole) {
        CHECK(dechunk(body_of(peer)) == std::pair<std::string, bool>("some of it", true));
        CHECK(world.state(peer) == State::ReadHead);
      } else {
        CHECK(world.ending(peer) == Ending::Aborted);
        CHECK(peer.alerts().empty());
        CHECK(world.failures(UpstreamFailure::Truncated) == 1);
      }
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("as long as the head has not left, a malformed body is 502") {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* body :
       {"5 \r\nhello\r\n0\r\n\r\n", "5\t\r\nhello\r\n0\r\n\r\n", "zz\r\nsome of it",
        " 5\r\nhello\r\n0\r\n\r\n", "5\nhello\r\n", "\r\n", "5;a=\r\nhello\r\n", "5\r\nhello!\r\n",
        "5\r\nhello\r\n0\r\nbad trailer\r\n\r\n", "11111111111111111\r\n", "-5\r\nhello\r\n",
        "0x5\r\nhello\r\n"}) {
    CAPTURE(body);
    for (const Path path : kPaths) {
      Proxied world;
      const Peer peer = connect(world, path);
      peer.get("/");
      world.play(peer);
      world.application().peer_sends(chunked + body);
      world.play(peer);
      REQUIRE(peer.responses().size() == 1);
      CHECK(peer.responses()[0].status == 502);
      CHECK(peer.responses()[0].whole);
      CHECK(world.failures(UpstreamFailure::Truncated) == 1);
      CHECK(world.figures.requests.get() == 1);  // the 200 does not count
      CHECK(world.state(peer) == State::ReadHead);
      CHECK(world.settle_accounts() == "");
    }
  }
  for (const Path path :
       kPaths) {  // once it has left, the connection ends, and nothing looks whole
    Proxied world;
    const Peer peer = connect(world, path);
    peer.get("/");
    world.play(peer);
    world.application().peer_sends(chunked + "5\r\nhello\r\n");
    world.play(peer);
    world.application().peer_sends("5 \r\nhello\r\n0\r\n\r\n");
    world.play(peer);
    CHECK(world.ending(peer) == Ending::Aborted);
    CHECK(peer.alerts().empty());
    CHECK_FALSE(dechunk(body_of(peer)).second);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("what is wrong with the application is said") {
  struct Case {
    const char* what;
    int status;
    UpstreamFailure failure;
    void (*before)();
    std::string sends;
    void (*then)(Socket& application);
  };
  const auto nothing_before = [] {};
  const auto nothing = [](Socket&) {};
  const auto ends = [](Socket& application) { application.peer_half_closes(); };
  const auto resets = [](Socket& application) { application.peer_resets(); };
  std::string interim;
  for (int i = 0; i < 40; i++) interim += "HTTP/1.1 102 Processing\r\n\r\n";
  const Case cases[] = {
      {"nobody listens", 503, UpstreamFailure::Refused,
       [] {
         kernel().backend.connects = {os::Io::Failed, 0, ECONNREFUSED};
       },
       "", nothing},
      {"its backlog stays full", 504, UpstreamFailure::Connect,
       [] {
         kernel().backend.connects = {os::Io::WouldBlock, 0, 0};
       },
       "", nothing},
      {"no descriptor is left", 503, UpstreamFailure::Exhausted,
       [] { kernel().backend.out_of_descriptors = true; }, "", nothing},
      {"it says nothing", 504, UpstreamFailure::Response, nothing_before, "", nothing},
      {"it ends", 502, UpstreamFailure::Closed, nothing_before, "", ends},
      {"it breaks off in its head", 502, UpstreamFailure::Closed, nothing_before,
       "HTTP/1.1 200 OK\r\nA: b", resets},
      {"it speaks something else", 502, UpstreamFailure::BadHead, nothing_before, "SSH-2.0-x\r\n",
       nothing},
      {"it switches without having been asked", 502, UpstreamFailure::BadHead, nothing_before,
       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
       "Sec-WebSocket-Accept: x\r\n\r\n",
       nothing},
      {"its head has no end", 502, UpstreamFailure::BadHead, nothing_before,
       "HTTP/1.1 200 OK\r\nA: " + std::string(100'000, 'b'), nothing},
      {"1xx without end", 502, UpstreamFailure::BadHead, nothing_before, interim, nothing},
      {"a length twice", 502, UpstreamFailure::BadHead, nothing_before,
       "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", nothing},
      {"a length beside chunks", 502, UpstreamFailure::BadHead, nothing_before,
       "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       nothing},
  };
  for (const Case& one : cases) {
    CAPTURE(one.what);
    for (const bool browser : {false, true}) {
      Proxied world;
      one.before();
      const Peer peer = connect(world, Path::KernelSync);
      peer.get("/", browser ? "Accept: text/html,*/*\r\n" : "");
      world.play(peer, 5);
      if (world.connections() > 0 && !world.application().closed()) {
        if (!one.sends.empty()) world.application().peer_sends(one.sends);
        world.play(peer, 5);
        if (!world.application().closed()) one.then(world.application());
      }
      for (int i = 0; i < 400 && world.failures(one.failure) == 0; i++) {
        world.advance(10);
        peer.socket().peer_takes();
      }
      world.play(peer);
      CHECK(world.failures(one.failure) == 1);
      const std::string all = peer.arrived().plaintext;
      const std::string last = all.substr(all.rfind("HTTP/1.1 "));
      CHECK(last.substr(9, 3) == std::to_string(one.status));
      CHECK((last.find("Retry-After: 2\r\n") != last.npos) == (one.status == 503));
      CHECK((last.find("http-equiv=\"refresh\"") != last.npos) == (browser && one.status == 503));
      CHECK(world.state(peer) == State::ReadHead);
      CHECK(world.figures.upstreams_open.get() == 0);
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("a kept connection that dies is replaced, where that is safe") {
  struct Case {
    std::string method;
    std::string body;
    bool again;
  };
  for (const Case& one : {Case{"GET", "", true}, Case{"DELETE", "", true}, Case{"POST", "", false},
                          Case{"PUT", "abc", false}}) {
    CAPTURE(one.method);
    Proxied world;
    const Peer peer = leave_idle_connection(world);
    peer.sends(Peer::request(one.method, "/", one.body.empty() ? "" : "Content-Length: 3\r\n") +
               one.body);
    world.play(peer);
    CHECK(world.figures.upstreams_reused.get() == 1);
    world.application().peer_half_closes();  // it had just decided to
    world.play(peer);
    CHECK(world.figures.upstream_retries.get() == (one.again ? 1 : 0));
    CHECK(world.connections() == (one.again ? 2 : 1));
    if (one.again) {
      CHECK(world.asked().find(one.method + " / HTTP/1.1\r\n") == 0);
      world.application().peer_sends(answer("second"));
      world.play(peer);
    }
    const auto responses = peer.responses();
    REQUIRE(responses.size() == 2);
    CHECK(responses[1].status == (one.again ? 200 : 502));
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("a client that stops in the middle of its body is told, and its backend freed") {
  for (const Path path : kPaths) {
    Proxied world;
    const Peer peer = connect(world, path);
    peer.sends(Peer::request("POST", "/", "Content-Length: 100000\r\n") + "only this");
    world.play(peer, 3);
    for (uint64_t ms = 0; ms < 2 * limits::kRequestTimeoutMsDefault + 1000; ms += 100) {
      world.advance(100);
      peer.socket().cipher_completes_all();
      peer.socket().peer_takes();
    }
    REQUIRE(peer.responses().size() == 1);
    CHECK(peer.responses()[0].status == 408);
    CHECK(world.figures.upstreams_open.get() == 0);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("a cut client frees its backend, whatever it was doing") {
  for (const Path path : kPaths) {
    for (int when = 0; when < 4; when++) {
      CAPTURE(when);
      Proxied world;
      world.ring->hold_cancels = true;
      if (when == 0) kernel().backend.connects = {os::Io::WouldBlock, 0, 0};
      const Peer peer = connect(world, path);
      peer.get("/");
      world.play(peer, 3);
      if (when >= 2)
        world.application().peer_sends("HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\nx");
      world.play(peer, 3);
      if (when == 3) world.application().peer_sends(std::string(60'000, 'x'));
      peer.socket().peer_resets();
      world.turns();
      world.ring->release_cancels();
      world.turns();
      CHECK(world.state(peer) == State::Free);
      CHECK(world.figures.upstreams_open.get() == 0);
      CHECK(world.settle_accounts() == "");
    }
  }
}
