// SPDX-License-Identifier: Apache-2.0
// Scenarios: answers of checks that are remembered for a few seconds.
#include <string>

#include "doctest/doctest.h"
#include "fakes/guarded.hpp"

using namespace spliced;
using namespace spliced::fakes;

namespace {

class Remembering : public Guarded {
 public:
  explicit Remembering(bool proxied = false) : Guarded(proxied) {
    http::Route route = services->site->site->routes.all()[0];
    route.check_remember_ms = 30'000;
    serve({route});
  }
  uint64_t asked_about() const { return figures.checks_passed.get() + figures.checks_failed.get(); }
  uint64_t remembered() const { return figures.checks_remembered.get(); }

  // Asks for it; whoever is asked says this, if it is.
  void get(const Peer& peer, const std::string& request, const std::string& says = kPass) {
    const uint32_t before = services->checks;
    peer.sends(request);
    play(peer);
    if (services->checks > before) application().peer_sends(says);
    play(peer, 200);
  }
};

std::string with(const std::string& fields) {
  return "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: 0\r\n\r\n";
}

}  // namespace

TEST_CASE("whoever asks the same again is not asked about, for so long") {
  for (const Path path : kPaths) {
    CAPTURE(static_cast<int>(path));
    Remembering world;
    const std::string content = world.site.write("a.bin", 2000);
    const Peer peer = connect(world, path);
    const uint64_t before_ms = world.services->now_ms;
    world.get(peer, Peer::request("GET", "/a.bin", "Cookie: s=1\r\n"));
    const uint64_t after_ms = world.services->now_ms;
    CHECK(world.asked_about() == 1);
    // A range and a condition are no part of the question.
    world.get(peer, Peer::request("GET", "/a.bin", "Cookie: s=1\r\nRange: bytes=10-19\r\n"));
    world.get(peer, Peer::request("GET", "/a.bin", "Cookie: s=1\r\nIf-None-Match: \"x\"\r\n"));
    CHECK(world.asked_about() == 1);
    CHECK(world.remembered() == 2);
    const auto responses = peer.responses();
    REQUIRE(responses.size() == 3);
    CHECK(responses[1].body == content.substr(10, 10));
    CHECK(responses[2].body == content);
    // By another connection as well: this one may not be idle for so long.
    const auto get_at = [&](uint64_t at_ms) {
      world.advance(at_ms - world.services->now_ms);
      const Peer later = connect(world, path);
      world.get(later, Peer::request("GET", "/a.bin", "Cookie: s=1\r\n"));
      CHECK(later.responses().size() == 1);
    };
    get_at(before_ms + 29'000);
    CHECK(world.asked_about() == 1);
    get_at(after_ms + 30'000);
    CHECK(world.asked_about() == 2);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("anything else that is asked is another question") {
  Remembering world;
  world.site.write("a.bin", 100);
  world.site.write("b.bin", 100);
  const Peer peer = connect(world, Path::KernelSync);
  world.get(peer, Peer::request("GET", "/a.bin", "Cookie: s=1\r\n"));
  const std::string others[] = {
      Peer::request("GET", "/a.bin", "Cookie: s=2\r\n"),
      Peer::request("GET", "/a.bin"),
      Peer::request("GET", "/a.bin", "Cookie: s=1\r\nAuthorization: Basic eA==\r\n"),
      Peer::request("GET", "/a.bin", "Cookie: s=1\r\nX-Api-Key: 1\r\n"),
      Peer::request("GET", "/a.bin?x", "Cookie: s=1\r\n"),
      Peer::request("GET", "/b.bin", "Cookie: s=1\r\n"),
      Peer::request("HEAD", "/a.bin", "Cookie: s=1\r\n"),
  };
  uint64_t questions = 1;
  for (const std::string& other : others) {
    CAPTURE(other);
    world.get(peer, other);
    CHECK(world.asked_about() == ++questions);
  }
  CHECK(world.remembered() == 0);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("what is no plain word for all is asked again, and a refusal always") {
  const std::string answers[] = {
      with("Set-Cookie: s=2\r\n"),
      with("set-cookie: s=2\r\n"),
      with("Cache-Control: no-store\r\n"),
      with("Cache-Control: private, No-Store\r\n"),
      with("Cache-Control: private\r\ncache-control: max-age=9,no-cache\r\n"),
      with("Cache-Control: no-cache=\"x\"\r\n"),
      with("X-User: " + std::string(limits::kRememberedFieldBytesMax, 'x') + "\r\n"),
      "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 302 There\r\nLocation: /in\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
  };
  for (const std::string& said : answers) {
    CAPTURE(said.substr(0, 60));
    Remembering world;
    world.site.write("a.bin", 100);
    for (int i = 0; i < 2; i++) {
      const Peer peer = connect(world, Path::KernelSync);
      peer.get("/a.bin");
      world.play(peer);
      CHECK(world.services->checks == 1);
      world.application().peer_sends(said);
      world.play(peer, 200);
      CHECK(peer.responses().size() == 1);
    }
    CHECK(world.remembered() == 0);
    CHECK(world.services->site->remembered.size() == 0);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("what it says of the client is remembered with it") {
  Remembering world(true);
  const Peer peer = connect(world, Path::KernelSync);
  for (int i = 0; i < 2; i++) {
    peer.sends(Peer::request("POST", "/a", "Content-Length: 5\r\nX-User: root\r\n") + "hello");
    world.play(peer);
    if (i == 0) {
      CHECK(world.asked().find("GET /session/check") == 0);
      world.application().peer_sends(kPass);
      world.play(peer);
    }
    const std::string asked = world.asked();
    const size_t last = asked.rfind("POST /a HTTP/1.1\r\n");
    REQUIRE(last != asked.npos);
    CHECK(asked.find("X-User: anna\r\n", last) != asked.npos);
    CHECK(asked.find("root", last) == asked.npos);
    CHECK(asked.substr(asked.find("\r\n\r\n", last) + 4) == "hello");
    world.application().peer_sends(answer("done"));
    world.play(peer);
    CHECK(peer.responses().size() == static_cast<size_t>(i) + 1);
  }
  CHECK(world.remembered() == 1);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("a reload forgets, also what is answered across it; and so many are kept") {
  Remembering world;
  world.site.write("a.bin", 100);
  const http::Route route = world.services->site->site->routes.all()[0];
  const Peer peer = connect(world, Path::KernelSync);
  world.get(peer, Peer::request("GET", "/a.bin"));
  CHECK(world.services->site->remembered.size() == 1);
  peer.get("/a.bin?during");
  world.play(peer);
  world.serve({route});
  world.application().peer_sends(kPass);
  world.play(peer, 200);
  CHECK(world.services->site->remembered.size() == 0);
  world.get(peer, Peer::request("GET", "/a.bin"));
  CHECK(world.asked_about() == 3);
  CHECK(world.settle_accounts() == "");

  conn::RememberedChecks many;
  for (size_t i = 0; i <= limits::kRememberedChecksMax; i++)
    many.keep(std::to_string(i), "", 1000 + i);
  CHECK(many.size() == limits::kRememberedChecksMax);
  CHECK(many.find("0", 0) == nullptr);
  CHECK(many.find("1", 0) != nullptr);
  CHECK(many.find("1", 1001) == nullptr);
  CHECK(many.find(std::to_string(limits::kRememberedChecksMax), 0) != nullptr);
}
