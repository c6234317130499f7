// SPDX-License-Identifier: Apache-2.0
// Scenarios: somebody is asked before a request is served.
#include <string>
#include <utility>

#include "doctest/doctest.h"
#include "fakes/guarded.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::Ending;
using conn::State;

TEST_CASE("a file waits for the word, and is served as ever") {
  for (const Path path : kPaths) {
    CAPTURE(static_cast<int>(path));
    Guarded world(false);
    const std::string content = world.site.write("a.bin", 60'000);
    const Peer peer = connect(world, path);
    peer.get("/a.bin?x=1", "Cookie: s=1\r\nRange: bytes=1000-1999\r\nIf-None-Match: \"x\"\r\n"
                           "X-Original-Method: FORGED\r\nX-Forwarded-Uri: /forged\r\n");
    world.play(peer);
    const std::string asked = world.asked();
    CHECK(asked.find("GET /session/check?a=b HTTP/1.1\r\nHost: ") == 0);
    CHECK(asked.find("Cookie: s=1\r\n") != asked.npos);
    CHECK(asked.find("X-Forwarded-Uri: /a.bin?x=1\r\n") != asked.npos);
    CHECK(asked.find("X-Original-URI: /a.bin?x=1\r\n") != asked.npos);
    CHECK(asked.find("X-Forwarded-Method: GET\r\n") != asked.npos);
    CHECK(asked.find("X-Forwarded-For: 192.0.2.1\r\n") != asked.npos);
    CHECK(asked.find("Range") == asked.npos);
    CHECK(asked.find("If-None-Match") == asked.npos);
    CHECK(asked.find("FORGED") == asked.npos);
    CHECK(asked.find("/forged") == asked.npos);
    CHECK(peer.responses().empty());
    world.application().peer_sends(kPass);
    world.play(peer, 200);
    const auto responses = peer.responses();
    REQUIRE(responses.size() == 1);
    CHECK(responses[0].status == 206);
    CHECK(responses[0].body == content.substr(1000, 1000));
    CHECK(world.figures.upstreams_idle.get() == 1);
    CHECK(world.figures.checks_passed.get() == 1);
    CHECK(world.services->checks == 0);
    peer.get("/a.bin");  // and the next one is asked about again
    world.play(peer);
    CHECK(peer.responses().size() == 1);
    world.application().peer_sends(kPass);
    world.play(peer, 200);
    CHECK(peer.responses().back().body == content);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("what it says of the client goes to the application, and no client says it") {
  for (const Path path : kPaths) {
    Guarded world(true);
    const Peer peer = connect(world, path);
    peer.sends(Peer::request("POST", "/a", "Content-Length: 5\r\nX-User: root\r\n") + "hello");
    world.play(peer);
    const std::string check = world.asked();
    CHECK(check.find("GET /session/check") == 0);
    CHECK(check.find("hello") == check.npos);
    CHECK(check.find("Content-Length") == check.npos);
    CHECK(check.find("X-Forwarded-Method: POST\r\n") != check.npos);
    world.application().peer_sends(kPass);
    world.play(peer);
    const std::string asked = world.asked();  // over another connection: another address
    CHECK(asked.find("POST /a HTTP/1.1\r\n") == 0);
    CHECK(asked.find("X-User: anna\r\n") != asked.npos);
    CHECK(asked.find("root") == asked.npos);
    CHECK(asked.find("X-No") == asked.npos);
    CHECK(asked.substr(asked.find("\r\n\r\n") + 4) == "hello");
    world.application().peer_sends(answer("done"));
    world.play(peer);
    CHECK(peer.responses().back().body == "done");
    CHECK(world.state(peer) == State::ReadHead);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("a refusal is the client's answer, as it is") {
  for (const char* status : {"401 Unauthorized", "403 Forbidden", "302 Found", "303 See Other",
                             "307 Temporary Redirect"}) {
    for (const bool head : {false, true}) {
      CAPTURE(status);
      Guarded world(false);
      const std::string content = world.site.write("a.bin", 5000);
      const Peer peer = connect(world, Path::KernelSync);
      peer.sends(Peer::request(head ? "HEAD" : "GET", "/a.bin"));
      world.play(peer);
      world.application().peer_sends(std::string("HTTP/1.1 ") + status +
                                     "\r\nLocation: /sign-in\r\nWWW-Authenticate: Bearer\r\n"
                                     "Set-Cookie: n=1\r\nContent-Length: 7\r\n\r\nsign in");
      world.play(peer);
      const auto responses = peer.responses({head});
      REQUIRE(responses.size() == 1);
      CHECK(std::to_string(responses[0].status) == std::string(status).substr(0, 3));
      CHECK(responses[0].head.find("Location: /sign-in\r\n") != std::string::npos);
      CHECK(responses[0].head.find("Set-Cookie: n=1\r\n") != std::string::npos);
      CHECK(responses[0].head.find("X-Route") == std::string::npos);
      CHECK(responses[0].body == (head ? "" : "sign in"));
      CHECK(world.figures.checks_denied.get() == 1);
      CHECK(world.services->checks == 0);
      CHECK(world.state(peer) == State::ReadHead);
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("anything else is 502, and nothing is served") {
  const std::pair<std::string, std::string> said[] = {
      {"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops", "status"},
      {"HTTP/1.1 404 None\r\nContent-Length: 4\r\n\r\noops", "status"},
      {"HTTP/1.1 304 Same\r\n\r\n", "status"},
      {"HTTP/1.1 101 Up\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
       "Sec-WebSocket-Accept: x\r\n\r\n",
       "unreachable"},
      {"rubbish\r\n\r\n", "unreachable"},
      {"HTTP/1.1 200 OK\r\nX-User: " + std::string(9000, 'x') + "\r\nContent-Length: 0\r\n\r\n",
       "long_fields"},
      {"", "timeout"},
      {"HTTP/1.1 200 OK\r\nX-Slow: ", "timeout"},
  };
  for (const auto& [text, reason] : said) {
    CAPTURE(text.substr(0, 40));
    Guarded world(false);
    world.site.write("a.bin", 5000);
    const Peer peer = connect(world, Path::KernelSync);
    peer.get("/a.bin");
    world.play(peer);
    if (!text.empty()) world.application().peer_sends(text);
    world.play(peer);
    for (int i = 0; i < 30; i++) {
      world.advance(100);
      world.play(peer, 1);
    }
    const auto responses = peer.responses();
    REQUIRE(responses.size() == 1);
    CHECK(responses[0].status == 502);
    CHECK(responses[0].body.find("oops") == std::string::npos);
    CHECK(world.reason() == reason);
    CHECK(world.services->checks == 0);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("the service's own API hears that somebody was asked, and judges tokens itself") {
  Guarded world(false);
  http::Route route = proxy_route();
  route.prefix = ".spliced/api";
  route.check = "unix:/check.sock";
  route.check_path = "/session/check";
  route.check_fields = {"Spliced-Role"};
  route.check_spares_tokens = true;
  world.serve({route});
  const std::string forged =
      "Cookie: a=b; __Host-spliced=key\r\nSpliced-Role: administer\r\nSpliced-Authorized: 1\r\n";
  const Peer peer = connect(world, Path::KernelSync);
  peer.get("/.spliced/api/v1/session", forged + "Authorization: Basic eA==\r\n");
  world.play(peer);
  const std::string check = world.asked();
  CHECK(check.find("GET /session/check") == 0);
  CHECK(check.find("Cookie: a=b\r\n") != check.npos);
  CHECK(check.find("Spliced-") == check.npos);
  world.application().peer_sends(
      "HTTP/1.1 204 Yes\r\nSpliced-Role: view\r\nSpliced-Other: 1\r\n\r\n");
  world.play(peer);
  const std::string asked = world.asked();
  CHECK(asked.find("GET /.spliced/api/v1/session") == 0);
  CHECK(asked.find("__Host-spliced=key") != asked.npos);
  CHECK(asked.find("Spliced-Role: view\r\n") != asked.npos);
  CHECK(asked.find("Spliced-Authorized: 1\r\n") == asked.rfind("Spliced-Authorized: 1\r\n"));
  CHECK(asked.find("Spliced-Authorized: 1\r\n") != asked.npos);
  CHECK(asked.find("administer") == asked.npos);
  CHECK(asked.find("Spliced-Other") == asked.npos);
  world.application().peer_sends(answer("{}"));
  world.play(peer);

  peer.get("/.spliced/api/v1/session", forged + "authorization: bearer x\r\n");
  world.play(peer);
  const std::string spared = world.asked();
  const size_t last = spared.rfind("GET /");
  CHECK(spared.find("GET /.spliced/api/v1/session", last) == last);
  CHECK(spared.find("Spliced-", last) == spared.npos);
  CHECK(world.figures.checks_passed.get() == 1);
  world.application().peer_sends(answer("{}"));
  world.play(peer);
  CHECK(peer.responses().size() == 2);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("the service's own page and API go on where nobody answers, and are told so") {
  const std::string said[] = {"rubbish\r\n\r\n", "",
                              "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"};
  for (const std::string& text : said) {
    for (const Path path : kPaths) {
      CAPTURE(text);
      Guarded world(false);
      const std::string page = world.site.write("page/index.html", 5000);
      http::Route api = proxy_route();
      api.prefix = ".spliced/api";
      http::Route files;
      files.prefix = "page";
      files.index = "index.html";
      for (http::Route* route : {&api, &files}) {
        route->check = "unix:/check.sock";
        route->check_path = "/session/check";
        route->check_timeout_ms = 2000;
        route->check_falls_back = true;
      }
      world.serve({api, files});
      const Peer peer = connect(world, path);
      const auto fail = [&] {
        world.play(peer);
        CHECK(world.asked().find("GET /session/check") == 0);
        if (!text.empty()) world.application().peer_sends(text);
        world.play(peer);
        for (int i = 0; i < 30 && world.services->checks > 0; i++) {
          world.advance(100);
          world.play(peer, 1);
        }
        CHECK(world.services->checks == 0);
        world.play(peer);
      };
      peer.get("/.spliced/api/v1/session",
               "Spliced-Authorized: 1\r\nSpliced-Role: administer\r\nSpliced-Unanswered: 0\r\n");
      fail();
      const std::string asked = world.asked();
      CHECK(asked.find("GET /.spliced/api/v1/session") == 0);
      CHECK(asked.find("Spliced-Authorized") == asked.npos);
      CHECK(asked.find("Spliced-Role") == asked.npos);
      CHECK(asked.find("Spliced-Unanswered: 1\r\n") != asked.npos);
      CHECK(asked.find("Spliced-Unanswered: 0") == asked.npos);
      world.application().peer_sends(answer("{}"));
      world.play(peer);
      peer.get("/page/");
      fail();
      const auto responses = peer.responses();
      REQUIRE(responses.size() == 2);
      CHECK(responses[0].body == "{}");
      CHECK(responses[1].body == page);
      CHECK(world.figures.checks_failed.get() == 2);
      CHECK(world.figures.checks_passed.get() == 0);
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("a client that goes away takes its question with it") {
  Guarded world(false);
  const Peer peer = connect(world, Path::KernelSync);
  peer.get("/a.bin");
  world.play(peer);
  CHECK(world.services->checks == 1);
  peer.socket().peer_resets();
  world.turns();
  CHECK(world.services->checks == 0);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("so many questions wait, and no more") {
  Guarded world(false);
  world.site.write("a.bin", 100);
  world.services->checks = limits::kChecksMax;
  const Peer peer = connect(world, Path::KernelSync);
  peer.get("/a.bin");
  world.play(peer);
  REQUIRE(peer.responses().size() == 1);
  CHECK(peer.responses()[0].status == 503);
  CHECK(world.reason() == "too_many");
  CHECK(world.connections() == 0);
  world.services->checks = 0;
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("the body of a guarded request is not read before the word, and may not come after a refusal") {
  Guarded world(true);
  const Peer peer = connect(world, Path::KernelSync);
  peer.sends(Peer::request("POST", "/a", "Content-Length: 300000\r\n") + std::string(3000, 'x'));
  world.play(peer);
  world.application().peer_sends("HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno");
  world.play(peer);
  REQUIRE(peer.responses().size() == 1);
  CHECK(peer.responses()[0].status == 401);
  CHECK(peer.responses()[0].head.find("Connection: close\r\n") != std::string::npos);
  CHECK(world.connections() == 1);
  peer.says_goodbye();
  world.run_to_end(peer);
  CHECK(world.settle_accounts() == "");
}
