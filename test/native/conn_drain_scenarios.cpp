// SPDX-License-Identifier: Apache-2.0
// Scenarios: the brake, and the end of a connection in the order that loses nothing.
#include <errno.h>

#include <ostream>
#include <string>

#include "doctest/doctest.h"
#include "fakes/world.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::Ending;
using conn::State;

namespace {

constexpr uint64_t kWindow = limits::kPendingWindowBytesMin;
// The window, and the overhead of the records in it.
constexpr uint64_t kPendingMax = kWindow + 16 * 29;

Peer asynchronous(World& world, size_t send_buffer_bytes = 16'384) {
  return world.connect([&](Socket& socket, TlsScript&) {
    socket.send_buffer_bytes = send_buffer_bytes;
    socket.asynchronous_cipher = true;
  });
}

}  // namespace

TEST_CASE("brake: with a cipher that stands still, no more than the window is pending") {
  World world;
  world.site.write("huge", 3'000'000);
  const Peer peer = asynchronous(world, 1 << 20);
  peer.get("/huge");
  world.advance(1000);
  CHECK(peer.socket().pending_in_tls() + limits::kPieceBytes > kWindow);
  CHECK(peer.socket().pending_in_tls_max() <= kPendingMax);
  CHECK(world.figures.pauses.get() > 0);
  CHECK(world.figures.pending_bytes.get() == peer.socket().pending_in_tls());
  world.run_to_end(peer, 100'000);
  CHECK(peer.socket().pending_in_tls_max() <= kPendingMax);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("brake: windows end from memory only with a cipher that was seen to be asynchronous") {
  World world;
  world.support.sendfile_waits = false;
  world.site.write("huge", 3'000'000);
  const auto from_memory = [&] {
    return world.figures.plaintext_sent_bytes.get() - world.figures.spliced_bytes.get();
  };
  // A response's head and its last record always do.
  constexpr uint64_t kHeadAndEnd = 1024 + limits::kRecordPlaintextBytes;
  const Peer before =
      world.connect([](Socket& socket, TlsScript&) { socket.send_buffer_bytes = 1 << 20; });
  before.get("/huge");
  world.run_to_end(before, 100'000);
  CHECK(from_memory() <= kHeadAndEnd);
  CHECK(world.services->asynchronous.none());

  const Peer peer = asynchronous(world, 1 << 20);
  peer.get("/huge");
  world.run_to_end(peer, 100'000);
  CHECK(world.services->asynchronous.count() == 1);
  CHECK(from_memory() > 10 * kHeadAndEnd);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("brake: pipelined small responses are held back too") {
  World world;
  world.site.write("small", 15'000);
  const Peer peer = asynchronous(world, 1 << 20);
  for (int i = 0; i < 60; i++) peer.get("/small");
  world.advance(500);
  CHECK(peer.socket().pending_in_tls_max() <= kPendingMax);
  for (int i = 0; i < 200; i++) world.pump(peer, 5);
  CHECK(peer.responses().size() == 60);
  CHECK(peer.socket().pending_in_tls_max() <= kPendingMax);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("a stalled client is given up at the stall deadline, and counted as aborted") {
  for (bool async : {false, true}) {
    CAPTURE(async);
    World world;
    world.site.write("huge", 1'000'000);
    const Peer peer = world.connect([&](Socket& socket, TlsScript&) {
      socket.send_buffer_bytes = 16'384;
      socket.asynchronous_cipher = async;
    });
    peer.get("/huge");
    world.turns();
    peer.socket().peer_takes();
    world.advance(1900);
    CHECK(world.state(peer) == State::Splice);
    world.advance(2200);  // twice: the deadline looks once in each interval
    CHECK(world.state(peer) == State::Free);
    CHECK(world.ending(peer) == Ending::Aborted);
    CHECK(world.figures.aborted.get() == 1);
    CHECK(world.figures.drained.get() == 0);
    CHECK(peer.alerts().empty());  // no close_notify: the cut must be visible
    CHECK(peer.socket().reset());
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("a slow client is not a stalled one") {
  World world;
  const std::string content = world.site.write("huge", 400'000);
  const Peer peer = asynchronous(world);
  peer.get("/huge", "Connection: close\r\n");
  for (int i = 0; i < 3000 && world.state(peer) != State::Free; i++) {
    world.advance(100);
    peer.socket().cipher_completes_all();
    peer.socket().peer_takes(1000);
    if (peer.socket().fin_arrived()) peer.socket().peer_half_closes();
  }
  REQUIRE(peer.responses().size() == 1);
  CHECK(peer.responses()[0].body == content);
  CHECK(world.services->now_ms > 1'000'000 + 2 * 20'000);
  CHECK(world.ending(peer) == Ending::Drained);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("drain: close_notify, then all of TLS into TCP, then the FIN, then the close") {
  World world;
  const std::string content = world.site.write("file", 60'000);
  const Peer peer = asynchronous(world, 200'000);
  peer.get("/file", "Connection: close\r\n");
  world.advance(100);
  // The cipher has everything, and has finished nothing.
  CHECK(world.state(peer) == State::Settle);
  CHECK_FALSE(peer.socket().half_closed());
  while (peer.socket().ciphering() > 1) {
    peer.socket().cipher_completes(peer.socket().ciphering() - 1);
    world.advance(200);
    CHECK(world.state(peer) == State::Settle);
    CHECK_FALSE(peer.socket().half_closed());
  }
  peer.socket().cipher_completes();
  world.advance(200);
  CHECK(world.state(peer) == State::Linger);
  CHECK(peer.socket().half_closed());
  CHECK_FALSE(peer.socket().fin_overtook());
  CHECK_FALSE(peer.socket().closed());
  peer.socket().peer_takes();
  CHECK(peer.alerts() == std::vector<uint8_t>{0});
  CHECK(peer.arrived().records.back().type == wire::kAlert);
  CHECK(peer.responses()[0].body == content);
  peer.socket().peer_half_closes();
  world.ring->hold_cancels = true;
  world.turns();
  CHECK(world.state(peer) == State::Join);
  CHECK_FALSE(peer.socket().closed());  // the ring still has the watch
  world.ring->release_cancels();
  world.turns();
  CHECK(peer.socket().closed());
  CHECK(peer.socket().lost_in_tls() + peer.socket().lost_in_tcp() == 0);
  CHECK(world.figures.drained.get() == 1);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("drain: pending that fell short of TCP's room is not settled") {
  World world;
  world.site.write("file", 60'000);
  const Peer peer = asynchronous(world, 8'000);
  peer.get("/file", "Connection: close\r\n");
  for (int i = 0; i < 200 && !peer.socket().half_closed(); i++) {
    world.advance(20);
    peer.socket().cipher_completes_all();
    peer.socket().peer_takes(900);
    if (peer.socket().half_closed()) CHECK(peer.socket().pending_in_tls() == 0);
  }
  CHECK_FALSE(peer.socket().fin_overtook());
  world.run_to_end(peer, 900);
  CHECK(world.ending(peer) == Ending::Drained);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("drain: figures that cannot be had are no proof that nothing is pending") {
  World world;
  world.site.write("file", 60'000);
  const Peer peer = asynchronous(world, 8'000);
  world.turns();
  peer.get("/file", "Connection: close\r\n");
  peer.socket().figures_fail = true;
  world.advance(300);
  REQUIRE(world.state(peer) == State::Settle);
  CHECK_FALSE(peer.socket().fin_overtook());
  peer.socket().figures_fail = false;
  world.run_to_end(peer);
  CHECK(world.ending(peer) == Ending::Drained);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("drain: a drain that takes too long is given up although the peer is alive") {
  World world;
  world.site.write("file", 60'000);
  const Peer peer = asynchronous(world, 8'000);
  peer.get("/file", "Connection: close\r\n");
  world.turns();
  for (int i = 0; i < 300 && world.state(peer) != State::Free; i++) {
    world.advance(100);
    peer.socket().cipher_completes_all();
    peer.socket().peer_takes(10);
  }
  CHECK(world.ending(peer) == Ending::Aborted);
  CHECK(world.services->now_ms >= 1'000'000 + 20'000);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("linger: a peer that never says goodbye is waited for, but not for ever") {
  World world;
  world.site.write("file", 1000);
  const Peer peer = asynchronous(world);
  peer.get("/file", "Connection: close\r\n");
  world.pump(peer, 20);
  CHECK(world.state(peer) == State::Linger);
  world.advance(700);
  CHECK(world.state(peer) == State::Free);
  CHECK(world.ending(peer) == Ending::Drained);
  CHECK(peer.responses()[0].whole);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("linger: what the peer still sends is dropped, so that no reset destroys the response") {
  for (bool user_space : {false, true}) {
    World world;
    world.site.write("file", 30'000);
    const Peer peer = world.connect([&](Socket& socket, TlsScript& script) {
      socket.send_buffer_bytes = 1 << 20;
      if (user_space) script.outcome = tls::Promotion::Outcome::UserSpace;
    });
    peer.get("/file", "Connection: close\r\n");
    world.turns();
    for (int i = 0; i < 5; i++) {
      peer.sends(std::string(5000, 'x'));
      world.advance(20);
    }
    CHECK(world.state(peer) == State::Linger);
    peer.sends("the last");
    peer.socket().peer_half_closes();
    world.advance(20);
    CHECK(world.state(peer) == State::Free);
    CHECK(peer.socket().lost_in_tcp() == 0);
    peer.socket().peer_takes();
    CHECK(peer.responses()[0].whole);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("linger: a record that cannot be opened does not turn the close into a reset") {
  World world;
  world.site.write("file", 30'000);
  const Peer peer = asynchronous(world, 1 << 20);
  peer.get("/file", "Connection: close\r\n");
  world.turns();
  peer.socket().cipher_completes_all();
  world.advance(200);
  REQUIRE(world.state(peer) == State::Linger);
  peer.socket().peer_breaks(EBADMSG);
  world.advance(100);
  peer.socket().peer_takes();
  CHECK(peer.socket().lost_in_tcp() == 0);
  world.run_to_end(peer);
  REQUIRE(peer.responses().size() == 1);
  CHECK(peer.responses()[0].whole);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("a peer that resets while bytes are pending is gone, not drained") {
  for (bool goodbye : {false, true}) {
    for (bool async : {false, true}) {
      CAPTURE(goodbye);
      CAPTURE(async);
      World world;
      world.site.write("file", 60'000);
      const Peer peer = world.connect([&](Socket& socket, TlsScript&) {
        socket.send_buffer_bytes = 200'000;
        socket.asynchronous_cipher = async;
      });
      peer.get("/file", goodbye ? "" : "Connection: close\r\n");
      world.turns();
      peer.socket().peer_takes(100);
      if (goodbye) peer.says_goodbye();
      peer.socket().peer_resets();
      world.advance(100);
      CHECK(world.state(peer) == State::Free);
      // One that said goodbye need not acknowledge; but it cannot have what TCP never took.
      CHECK(world.ending(peer) == (goodbye && !async ? Ending::Drained : Ending::PeerGone));
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("what TCP leaves unpushed is pushed, in the middle and at the end") {
  World world;
  const std::string content = world.site.write("file", 300'000);
  const Peer peer = world.connect([](Socket& socket, TlsScript&) {
    socket.send_buffer_bytes = 8'000;
    socket.asynchronous_cipher = true;
    socket.leaves_unpushed = true;
  });
  peer.get("/file");
  world.pump(peer, 1500);
  REQUIRE(peer.responses().size() == 1);
  CHECK(peer.responses()[0].body == content);
  CHECK(world.figures.pushes.get() > 0);
  peer.says_goodbye();
  world.run_to_end(peer);
  CHECK(world.ending(peer) == Ending::Drained);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("a peer that resets once it has everything but the farewell is drained") {
  World world;
  world.site.write("file", 60'000);
  const Peer peer = asynchronous(world, 200'000);
  peer.get("/file", "Connection: close\r\n");
  world.turns();
  while (peer.socket().ciphering() > 1) peer.socket().cipher_completes();
  peer.socket().peer_takes();
  REQUIRE(peer.responses()[0].whole);
  peer.socket().peer_resets();
  world.advance(100);
  CHECK(world.ending(peer) == Ending::Drained);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("what the ring has sent, and not yet told, contradicts nothing") {
  World world;
  world.site.write("small", 10'000);
  const Peer peer =
      world.connect([](Socket& socket, TlsScript&) { socket.send_buffer_bytes = 16'384; });
  const Peer other = world.connect();
  world.turns();
  peer.get("/small");
  peer.get("/small");
  peer.get("/small");
  world.turns();
  REQUIRE(world.state(peer) == State::Respond);
  REQUIRE(!world.services->ticking.empty());
  peer.socket().peer_takes();
  other.get("/small");
  const size_t before = peer.socket().accepted_wire().size();
  world.deliver_one();  // there is room: the next piece is the ring's
  world.deliver_one();  // another connection's event, by which time the piece is out
  REQUIRE(peer.socket().accepted_wire().size() > before);
  world.services->now_ms += limits::kTickMsMax;
  conn::run_ticks(*world.services);
  CHECK(world.figures.ledger_contradictions.get() == 0);
  world.pump(peer, 10);
  CHECK(peer.responses().size() == 3);
  CHECK(world.settle_accounts() == "");
}
