// SPDX-License-Identifier: Apache-2.0
// Scenarios: who is let in, handshakes that fail, and promotions to the kernel that are refused.
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

uint64_t failures(const World& world, tls::HandshakeFailure reason) {
  return world.figures.handshake_failures[static_cast<size_t>(reason)].get();
}

}  // namespace

TEST_CASE("handshake: its failures are told apart, and its alert is delivered") {
  for (size_t i = 1; i < tls::kHandshakeFailures; i++) {
    const auto reason = static_cast<tls::HandshakeFailure>(i);
    CAPTURE(i);
    World world;
    const Peer peer = world.connect([&](Socket&, TlsScript& script) {
      script.handshake = {tls::Handshake::NeedRead, tls::Handshake::Failed};
      script.failure = reason;
    });
    world.turns();
    peer.sends("hello");
    world.turns();
    CHECK(failures(world, reason) == 1);
    if (reason != tls::HandshakeFailure::PeerClosed) {
      CHECK(world.state(peer) == State::Linger);
      CHECK(peer.socket().half_closed());
      world.run_to_end(peer);
      CHECK(peer.arrived().records.back().type == wire::kAlert);
      CHECK(peer.socket().lost_in_tcp() == 0);
    }
    world.turns();
    CHECK(world.ending(peer) == Ending::NotServed);
    CHECK(world.figures.drained.get() + world.figures.aborted.get() == 0);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("handshake: a client that says nothing is given up in time") {
  World world;
  const Peer peer = world.connect(
      [](Socket&, TlsScript& script) { script.handshake.assign(1000, tls::Handshake::NeedRead); });
  world.advance(900);
  CHECK(world.state(peer) == State::Handshake);
  world.advance(200);
  CHECK(world.state(peer) == State::Free);
  CHECK(failures(world, tls::HandshakeFailure::Timeout) == 1);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("handshake: promoted, refused and broken promotions") {
  struct Row {
    tls::Promotion::Outcome outcome;
    tls::Fallback fallback;
    bool served;
  };
  for (const Row& row : {
           Row{tls::Promotion::Outcome::Kernel, tls::Fallback::InstallFailed, true},
           Row{tls::Promotion::Outcome::UserSpace, tls::Fallback::NotQuiescent, true},
           Row{tls::Promotion::Outcome::UserSpace, tls::Fallback::PeerClosed, true},
           Row{tls::Promotion::Outcome::Broken, tls::Fallback::InstallFailed, false},
       }) {
    World world;
    world.site.write("ten", 10);
    const Peer peer = world.connect([&](Socket&, TlsScript& script) {
      script.outcome = row.outcome;
      script.fallback = row.fallback;
      script.resumed = true;
      script.group = 3;
    });
    peer.get("/ten");
    world.pump(peer);
    const bool kernel_tls = row.outcome == tls::Promotion::Outcome::Kernel;
    CHECK(world.figures.handshakes_resumed.get() == 1);
    CHECK(world.figures.groups[3].get() == 1);
    CHECK(world.figures.promoted[0].get() == (kernel_tls ? 1 : 0));
    CHECK(world.figures.fallbacks[static_cast<size_t>(row.fallback)].get() == (kernel_tls ? 0 : 1));
    CHECK(peer.responses().size() == (row.served ? 1 : 0));
    CHECK((world.state(peer) == State::ReadHead) == row.served);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("the ledger's base is what the handshake sent, whatever TCP's figures say just then") {
  World world;
  world.site.write("ten", 10);
  const Peer peer = world.connect([](Socket& socket, TlsScript&) { socket.figures_fail = true; });
  world.turns();
  REQUIRE(world.state(peer) == State::ReadHead);
  peer.socket().figures_fail = false;
  peer.get("/ten", "Connection: close\r\n");
  world.run_to_end(peer);
  CHECK(world.ending(peer) == Ending::Drained);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("a full house sheds, and has room again afterwards") {
  World world;
  std::vector<Peer> peers;
  for (int i = 0; i < 4; i++) peers.push_back(world.connect());
  world.turns();
  const Peer fifth = world.connect();
  CHECK(fifth.socket().closed());
  CHECK(world.figures.shed.get() == 1);
  peers[0].says_goodbye();
  peers[0].socket().peer_half_closes();
  world.pump(peers[0]);
  CHECK(world.state(peers[0]) == State::Free);
  const Peer again = world.connect();
  world.turns();
  CHECK(world.state(again) == State::ReadHead);
  CHECK(world.figures.accepted.get() == 6);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("out of memory for a session: shed") {
  World world;
  const Peer peer = world.connect([](Socket&, TlsScript& script) { script.start_fails = true; });
  CHECK(peer.socket().closed());
  CHECK(world.figures.shed.get() == 1);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("what was accepted while a stop began is served, once") {
  World world;
  world.site.write("small", 3000);
  conn::begin_stop(*world.services);
  const Peer peer = world.connect();
  world.turns();
  REQUIRE(world.state(peer) == State::ReadHead);
  peer.get("/small");
  world.turns();
  world.run_to_end(peer);
  CHECK(peer.responses().size() == 1);
  CHECK(world.ending(peer) == Ending::Drained);
  CHECK(world.settle_accounts() == "");
}
