// SPDX-License-Identifier: Apache-2.0
// Scenarios: requests to an application behind a proxy route, and its answers.
#include <memory>
#include <string>

#include "doctest/doctest.h"
#include "fakes/proxied.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::Ending;
using conn::State;
using conn::UpstreamFailure;

TEST_CASE("a request goes to the application with what it may believe, and its answer comes back") {
  for (const Path path : kPaths) {
    CAPTURE(static_cast<int>(path));
    Proxied world;
    const Peer peer = connect(world, path);
    peer.get("/a?b",
             "X-Forwarded-For: 1.2.3.4\r\nConnection: x-secret\r\nX-Secret: 1\r\nX-Own: 2\r\n");
    world.play(peer);
    const std::string asked = world.asked();
    CHECK(asked.find("GET /a?b HTTP/1.1\r\nHost: ") == 0);
    CHECK(asked.find("X-Forwarded-For: 192.0.2.1\r\n") != asked.npos);
    CHECK(asked.find("1.2.3.4") == asked.npos);
    CHECK(asked.find("X-Secret") == asked.npos);
    CHECK(asked.find("X-Own: 2\r\n") != asked.npos);
    world.application().peer_sends(answer("hello", "Keep-Alive: timeout=5\r\nX-Its: 3\r\n"));
    world.play(peer);
    const auto responses = peer.responses();
    REQUIRE(responses.size() == 1);
    CHECK(responses[0].body == "hello");
    CHECK(responses[0].head.find("X-Its: 3\r\n") != std::string::npos);
    CHECK(responses[0].head.find("timeout=5") == std::string::npos);
    CHECK(world.state(peer) == State::ReadHead);
    CHECK(world.figures.upstreams_idle.get() == 1);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("large bodies both ways, in pieces, over each of the ways that a body can take") {
  const std::string upload = text_of(300'000), download = text_of(400'000);
  for (const Path path : kPaths) {
    CAPTURE(static_cast<int>(path));
    Proxied world;
    const Peer peer = connect(world, path, 20'000);
    peer.sends(Peer::request("POST", "/", "Content-Length: 300000\r\n"));
    for (size_t at = 0; at < upload.size(); at += 16'000) {
      peer.sends(upload.substr(at, 16'000));
      world.play(peer, 2);
    }
    world.play(peer);
    const std::string asked = world.asked();
    CHECK(asked.substr(asked.find("\r\n\r\n") + 4) == upload);
    world.application().peer_sends("HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n");
    for (size_t at = 0; at < download.size(); at += 33'333) {
      world.application().peer_sends(download.substr(at, 33'333));
      world.play(peer, 3);
    }
    world.play(peer, 200);
    const auto responses = peer.responses();
    REQUIRE(responses.size() == 1);
    CHECK(responses[0].body == download);
    CHECK((world.figures.spliced_bytes.get() > 500'000) == (path != Path::UserSpace));
    CHECK(world.state(peer) == State::ReadHead);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("an application that takes a request's body in pieces gets every byte once") {
  const std::string body = text_of(5000);
  for (const Path path : kPaths) {
    for (const size_t piece : {size_t{200}, size_t{777}}) {
      CAPTURE(static_cast<int>(path));
      CAPTURE(piece);
      Proxied world;
      const Peer peer = connect(world, path);
      peer.sends(Peer::request("POST", "/", "Content-Length: 5000\r\n"));
      world.play(peer, 10);
      REQUIRE(world.connections() == 1);
      world.application().take_at_most = piece;
      peer.sends(body);
      world.play(peer);
      const std::string asked = world.asked();
      CHECK((asked.substr(asked.find("\r\n\r\n") + 4) == body));
      world.application().peer_sends(answer("taken"));
      world.play(peer);
      REQUIRE(peer.responses().size() == 1);
      CHECK(peer.responses()[0].body == "taken");
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("a client that does not read holds the application back") {
  for (const Path path : kPaths) {
    CAPTURE(static_cast<int>(path));
    Proxied world;
    const Peer peer = connect(world, path, 8'000);
    peer.get("/");
    world.play(peer);
    world.application().peer_sends("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    const size_t piece = 10'000;
    for (int i = 0; i < 100; i++) {
      world.application().peer_sends(std::string(piece, 'x'));
      world.advance(20);
    }
    const conn::Connection* c = world.find(peer.fd());
    REQUIRE(c != nullptr);
    CHECK(c->output.size() + c->request.pipe_bytes + peer.socket().pending_in_tls() <=
          limits::kPendingWindowBytesMin + limits::kPieceBytes + 2 * limits::kOutputBytes);
    CHECK(peer.socket().pending_in_tls_max() <=
          limits::kPendingWindowBytesMin + limits::kRecordPlaintextBytes + 1000);
    world.advance(5000);  // and is ended for it
    CHECK(world.ending(peer) == Ending::Aborted);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("chunks are read and framed anew, in both directions") {
  for (const Path path : kPaths) {
    CAPTURE(static_cast<int>(path));
    Proxied world;
    const Peer peer = connect(world, path);
    peer.sends(Peer::request("POST", "/", "Transfer-Encoding: chunked\r\n") +
               "5;a=b\r\nhello\r\n00000006\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n");
    world.play(peer);
    const std::string asked = world.asked();
    CHECK(asked.find("Transfer-Encoding: chunked\r\n") != asked.npos);
    CHECK(asked.find("X-Trailer") == asked.npos);
    CHECK(dechunk(asked.substr(asked.find("\r\n\r\n") + 4)) ==
          std::pair<std::string, bool>("hello world", true));
    world.application().peer_sends(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: 1\r\n\r\n");
    world.play(peer);
    CHECK(dechunk(body_of(peer)) == std::pair<std::string, bool>("abc", true));
    CHECK(world.state(peer) == State::ReadHead);
    CHECK(world.figures.upstreams_idle.get() == 1);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("an idle connection that says something unasked, or ends, is not used again") {
  for (const bool speaks : {true, false}) {
    Proxied world;
    leave_idle_connection(world);
    if (speaks) {
      world.application().peer_sends(answer("smuggled"));
    } else {
      world.application().peer_half_closes();
    }
    world.turns();
    CHECK(world.figures.upstreams_idle.get() == 0);
    CHECK(world.application().closed());
    CHECK(world.settle_accounts() == "");
  }
  Proxied world;  // and what came behind the answer, in the same breath
  const Peer peer = connect(world, Path::KernelSync);
  peer.get("/");
  world.play(peer);
  world.application().peer_sends(answer("first") + answer("smuggled"));
  world.play(peer);
  CHECK(world.figures.upstreams_idle.get() == 0);
  CHECK(peer.responses().size() == 1);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("a path whose parameters hide what it is for a backend that knows them goes nowhere") {
  http::Route secret = proxy_route(), rest = proxy_route();
  secret.prefix = "secret";
  struct Case {
    const char* path;
    int status;  // 0: it goes on
  };
  for (const Case& one :
       {Case{"/a;v=1/b;x", 0}, Case{"/secret/a;v=1", 0}, Case{"/secret;v=1/a", 400},
        Case{"/secret%3Bv=1/a", 400}, Case{"/locked;x", 400}, Case{"/.spliced;x/api", 400},
        Case{"/a;x/..;/secret", 400}}) {
    CAPTURE(one.path);
    Proxied world;
    world.serve({secret, rest});
    auto prefixes = std::make_shared<http::PathPrefixes>();
    REQUIRE(prefixes->add("/locked"));
    world.services->certificate_required = std::move(prefixes);
    const Peer peer = connect(world, Path::KernelSync);
    peer.get(one.path);
    world.play(peer);
    CHECK(world.connections() == (one.status == 0 ? 1 : 0));
    if (one.status != 0) {
      REQUIRE(peer.responses().size() == 1);
      CHECK(peer.responses()[0].status == one.status);
    }
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("where a body may come that must not, the connection is not used again") {
  struct Case {
    const char* method;
    const char* head;
    bool kept;
  };
  for (const Case& one :
       {Case{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", false},
        Case{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false},
        Case{"HEAD", "HTTP/1.1 200 OK\r\n\r\n", false},
        Case{"GET", "HTTP/1.1 204 No Content\r\n\r\n", false},
        Case{"GET", "HTTP/1.1 304 Not Modified\r\n\r\n", false},
        Case{"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false},
        Case{"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true}}) {
    CAPTURE(one.method);
    CAPTURE(one.head);
    Proxied world;
    const Peer peer = connect(world, Path::KernelSync);
    peer.sends(Peer::request(one.method, "/"));
    world.play(peer);
    world.application().peer_sends(one.head);
    world.play(peer);
    CHECK(world.figures.upstreams_idle.get() == (one.kept ? 1 : 0));
    CHECK(world.state(peer) == State::ReadHead);
    if (!one.kept) {
      // The body comes when another client has asked for something.
      const Peer other = connect(world, Path::KernelSync);
      other.get("/other");
      world.play(other);
      CHECK(world.connections() == 2);
      world.application().peer_sends(answer("its own"));
      world.play(other);
      REQUIRE(other.responses().size() == 1);
      CHECK(other.responses()[0].body == "its own");
    }
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("what a connection says before it was asked anything is nobody's answer") {
  for (const char* method : {"GET", "POST"}) {
    CAPTURE(method);
    Proxied world;
    leave_idle_connection(world);
    world.application().send_buffer_bytes = 0;
    const Peer other = connect(world, Path::KernelSync);
    other.sends(Peer::request(method, "/other"));
    world.turns();
    REQUIRE(world.figures.upstreams_idle.get() == 0);
    world.application().peer_sends(answer("smuggled"));
    world.turns();
    REQUIRE(world.connections() == 2);  // a new one
    world.play(other);
    CHECK(world.asked().find(std::string(method) + " /other ") == 0);
    world.application().peer_sends(answer("its own"));
    world.play(other);
    REQUIRE(other.responses().size() == 1);
    CHECK(other.responses()[0].body == "its own");
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("idle connections end after a while, and at a stop") {
  for (const bool stop : {true, false}) {
    Proxied world;
    leave_idle_connection(world);
    if (stop) {
      conn::begin_stop(*world.services);
    } else {
      world.advance(limits::kUpstreamIdleMs);
    }
    world.turns();
    CHECK(world.application().closed());
    CHECK(world.settle_accounts() == "");
  }
}
