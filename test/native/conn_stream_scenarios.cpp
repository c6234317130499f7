// SPDX-License-Identifier: Apache-2.0
// Scenarios: event streams and WebSockets, and what a stop does to them and to an answer.
#include <cstdio>
#include <string>

#include "doctest/doctest.h"
#include "fakes/proxied.hpp"
#include "http/websocket.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::Ending;
using conn::State;
using conn::UpstreamFailure;

TEST_CASE("an event stream passes as it comes, and ends properly at a stop or with its reader") {
  for (const Path path : kPaths) {
    for (const bool stop : {true, false}) {
      Proxied world;
      const Peer peer = connect(world, path);
      peer.get("/events");
      world.play(peer);
      world.application().peer_sends(
          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
          "Transfer-Encoding: chunked\r\n\r\n");
      std::string events;
      for (int i = 0; i < 50; i++) {
        const std::string event = "data: " + std::to_string(i) + "\n\n";
        events += event;
        char size[16];
        std::snprintf(size, sizeof size, "%zx\r\n", event.size());
        world.application().peer_sends(size + event + "\r\n");
        world.play(peer, 2);
        CHECK(dechunk(body_of(peer)).first == events);
      }
      world.advance(30'000);  // longer than any answer may take
      CHECK(world.state(peer) == State::Exchange);
      if (stop) {
        conn::begin_stop(*world.services);
        world.run_to_end(peer);
        CHECK(dechunk(body_of(peer)) == std::pair<std::string, bool>(events, true));
        CHECK(peer.alerts() == std::vector<uint8_t>{0});
        CHECK(world.ending(peer) == Ending::Drained);
      } else {
        peer.says_goodbye();
        world.turns();
        CHECK(world.ending(peer) == Ending::PeerGone);
      }
      CHECK(world.application().closed());
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("a WebSocket passes both ways; a stop puts its Close between two frames") {
  const std::string upgrade =
      "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Key: k\r\n";
  const std::string accept =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: a\r\n\r\n";
  const std::string frame = std::string("\x82\x7e\x40\x00", 4) + text_of(0x4000);
  for (const Path path : kPaths) {
    for (const size_t cut : {size_t{0}, size_t{1}, size_t{3}, size_t{4}, size_t{9'000}}) {
      CAPTURE(cut);
      Proxied world;
      const Peer peer = connect(world, path);
      peer.get("/ws", upgrade);
      peer.sends("\x81\x80zzzz");  // too early: it waits
      world.play(peer);
      CHECK(world.asked().find("Upgrade: websocket\r\n") != std::string::npos);
      CHECK(world.asked().find("zzzz") == std::string::npos);
      world.application().peer_sends(accept + frame);
      world.play(peer);
      CHECK(world.state(peer) == State::Tunnel);
      CHECK(world.figures.websockets.get() == 1);
      CHECK(world.asked().find("zzzz") != std::string::npos);
      CHECK(body_of(peer) == frame);
      world.application().peer_sends(frame.substr(0, cut));
      world.play(peer);
      conn::begin_stop(*world.services);
      world.play(peer);
      if (cut > 0) {
        CHECK(world.state(peer) == State::Tunnel);
        world.application().peer_sends(frame.substr(cut));
        world.play(peer);
      }
      world.run_to_end(peer);
      CHECK(body_of(peer) == frame + (cut > 0 ? frame : "") + std::string(http::kGoingAway));
      CHECK(world.application().accepted_wire().find(std::string(http::kGoingAwayMasked)) !=
            std::string::npos);
      CHECK(world.ending(peer) == Ending::Drained);
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("a stop waits for an answer that is under way, and no longer than it may") {
  for (const bool answers : {true, false}) {
    Proxied world;
    const Peer peer = connect(world, Path::KernelAsync);
    peer.get("/");
    world.play(peer);
    conn::begin_stop(*world.services);
    world.play(peer);
    CHECK(world.state(peer) == State::Exchange);
    if (answers) {
      world.application().peer_sends(answer("done"));
      world.run_to_end(peer);
      CHECK(peer.responses()[0].body == "done");
      CHECK(world.ending(peer) == Ending::Drained);
    } else {
      conn::abort_all(*world.services);
      world.turns();
      CHECK(world.ending(peer) == Ending::Aborted);
    }
    CHECK(world.settle_accounts() == "");
  }
}
