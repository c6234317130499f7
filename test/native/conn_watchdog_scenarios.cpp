// SPDX-License-Identifier: Apache-2.0
// Scenarios: what the watchdog relies on. A cipher that does not complete is told from a client
// that does not read; the canary has its slot and its body; a suspended accelerator; the connection
// log.
#include <ostream>
#include <string>

#include "doctest/doctest.h"
#include "fakes/world.hpp"
#include "os/socket_io.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::Ending;
using conn::State;

namespace {

constexpr uint16_t kCanaryPort = 61'000;

conn::Options patient() {
  conn::Options options = World::small_options();
  options.stall_timeout_ms = 120'000;
  options.drain_timeout_ms = 600'000;
  options.idle_timeout_ms = 600'000;
  return options;
}

Peer asynchronous(World& world) {
  return world.connect([](Socket& socket, TlsScript&) {
    socket.send_buffer_bytes = 1 << 20;
    socket.asynchronous_cipher = true;
  });
}

Peer canary(World& world) {
  return world.connect([](Socket& socket, TlsScript&) { socket.own_port = kCanaryPort; });
}

void expect_canary(World& world, bool in_kernel) {
  world.services->canary.port = kCanaryPort;
  world.services->canary.in_kernel = in_kernel;
}

uint64_t fallbacks(const World& world, tls::Fallback reason) {
  return world.figures.fallbacks[static_cast<size_t>(reason)].get();
}

}  // namespace

TEST_CASE("stuck: a cipher that does not complete, wherever it leaves the connection") {
  for (const char* request : {"/huge", "/small", "/small then close"}) {
    CAPTURE(request);
    World world(patient());
    world.site.write("huge", 1'000'000);
    world.site.write("small", 5'000);
    const Peer peer = asynchronous(world);
    const bool closes = std::string(request) == "/small then close";
    peer.get(closes ? "/small" : request, closes ? "Connection: close\r\n" : "");
    world.turns();
    peer.socket().peer_takes();
    world.advance(limits::kCipherStuckMs - 1000);
    CHECK(world.figures.ledgers_stuck.get() == 0);
    world.advance(2000);
    CHECK(world.figures.ledgers_stuck.get() == 1);
    CHECK(world.figures.ledgers_stuck_ever.get() == 1);
    world.advance(30'000);
    CHECK(world.figures.ledgers_stuck.get() == 1);
    world.run_to_end(peer, 100'000);  // it completes after all
    world.advance(1000);
    CHECK(world.figures.ledgers_stuck.get() == 0);
    CHECK(world.figures.ledgers_stuck_ever.get() == 1);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("stuck: one that is given up meanwhile is no longer counted") {
  conn::Options options = World::small_options();
  options.stall_timeout_ms = 15'000;
  World world(options);
  world.site.write("huge", 1'000'000);
  const Peer peer = asynchronous(world);
  peer.get("/huge");
  world.turns();
  peer.socket().peer_takes();
  world.advance(12'000);
  CHECK(world.figures.ledgers_stuck.get() == 1);
  world.advance(40'000);
  CHECK(world.ending(peer) == Ending::Aborted);
  CHECK(world.figures.ledgers_stuck.get() == 0);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("stuck: a client that does not read is not the cipher's fault") {
  for (bool async : {false, true}) {
    CAPTURE(async);
    World world(patient());
    world.site.write("huge", 1'000'000);
    const Peer peer = world.connect([&](Socket& socket, TlsScript&) {
      socket.send_buffer_bytes = 16'384;
      socket.asynchronous_cipher = async;
    });
    peer.get("/huge");
    for (int i = 0; i < 60; i++) {
      world.advance(500);
      peer.socket().cipher_completes_all();
    }
    CHECK(world.state(peer) == State::Splice);
    CHECK(world.figures.ledgers_stuck.get() == 0);
    CHECK(world.figures.ledgers_stuck_ever.get() == 0);
    world.run_to_end(peer, 100'000);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("stuck: a slow cipher is not a stuck one") {
  World world(patient());
  world.site.write("huge", 1'000'000);
  const Peer peer = asynchronous(world);
  peer.get("/huge");
  for (int i = 0; i < 10; i++) {
    world.advance(limits::kCipherStuckMs - 2000);
    peer.socket().cipher_completes_all();
    peer.socket().peer_takes();
  }
  CHECK(world.figures.ledgers_stuck_ever.get() == 0);
  world.run_to_end(peer, 100'000);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("canary: its body comes from memory to it alone, whatever its size") {
  const std::string body(40'000, 'c');
  World world;
  world.services->canary.file = files::memory_file(body);
  REQUIRE(world.services->canary.file != nullptr);
  expect_canary(world, true);
  const Peer peer = canary(world);
  peer.get("/.spliced/canary", "Connection: close\r\n");
  world.run_to_end(peer);
  REQUIRE(peer.responses().size() == 1);
  CHECK(peer.responses()[0].status == 200);
  CHECK(peer.responses()[0].body == body);
  CHECK(world.ending(peer) == Ending::Drained);
  CHECK(world.figures.canaries.get() == 1);
  CHECK(world.figures.canaries_offloaded.get() == 1);
  const Peer stranger = world.connect([](Socket& s, TlsScript&) { s.peer_is_loopback = true; });
  stranger.get("/.spliced/canary", "Connection: close\r\n");
  world.run_to_end(stranger);
  REQUIRE(stranger.responses().size() == 1);
  CHECK(stranger.responses()[0].status == 404);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("canary: a full table sheds clients, not the canary, which takes no client's place") {
  World world;
  std::vector<Peer> clients;
  for (int i = 0; i < 3; i++) clients.push_back(world.connect());
  expect_canary(world, true);
  const Peer early = canary(world);
  clients.push_back(world.connect());
  world.turns();
  for (const Peer& client : clients) CHECK(world.state(client) == State::ReadHead);
  CHECK(world.state(early) == State::ReadHead);
  CHECK(world.figures.shed.get() == 0);
  (void)world.connect();
  CHECK(world.figures.shed.get() == 1);
  early.socket().peer_half_closes();
  world.run_to_end(early);
  const Peer late = canary(world);
  world.turns();
  CHECK(world.state(late) == State::ReadHead);
  CHECK(world.figures.shed.get() == 1);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("suspended: new connections stay in user space, for that reason; a canary may try") {
  World world;
  const Peer before = world.connect();
  world.turns();
  CHECK(world.find(before.fd())->tls.offloaded);
  world.services->offload_suspended = true;
  const Peer after = world.connect();
  world.turns();
  CHECK_FALSE(world.find(after.fd())->tls.offloaded);
  CHECK(world.find(before.fd())->tls.offloaded);
  CHECK(fallbacks(world, tls::Fallback::Suspended) == 1);
  expect_canary(world, true);
  const Peer trial = canary(world);
  world.turns();
  CHECK(world.find(trial.fd())->tls.offloaded);
  world.services->offload_suspended = false;
  const Peer again = world.connect();
  world.turns();
  CHECK(world.find(again.fd())->tls.offloaded);
  CHECK(fallbacks(world, tls::Fallback::Suspended) == 1);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("canary: in user space by wish, while the kernel serves the others") {
  World world;
  expect_canary(world, false);
  const Peer control = canary(world);
  world.turns();
  CHECK_FALSE(world.find(control.fd())->tls.offloaded);
  CHECK(world.figures.canaries.get() == 1);
  CHECK(world.figures.canaries_offloaded.get() == 0);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("connection log: nothing while off; then each connection, bounded, the rest counted") {
  World world;
  conn::ConnectionLog log;
  world.services->connection_log = &log;
  world.site.write("small", 5'000);
  const auto serve_one = [&] {
    const Peer peer = world.connect();
    peer.get("/small", "Connection: close\r\n");
    world.run_to_end(peer);
    return peer;
  };
  serve_one();
  CHECK(log.take().records.empty());
  log.enable(true);
  const Peer peer = serve_one();
  const Peer failed = world.connect([](Socket&, TlsScript& script) {
    script.handshake = {tls::Handshake::Failed};
    script.failure = tls::HandshakeFailure::PeerClosed;
  });
  world.run_to_end(failed);
  conn::ConnectionLog::Batch batch = log.take();
  REQUIRE(batch.records.size() == 2);
  CHECK(batch.records[0].peer == "192.0.2.1:" + std::to_string(peer.fd()));
  CHECK(batch.records[0].requests == 1);
  CHECK(batch.records[0].bytes > 5'000);
  CHECK(batch.records[0].offloaded);
  CHECK(std::string(batch.records[0].ending) == "drained");
  CHECK(std::string(batch.records[1].ending) == "not_served");
  CHECK(batch.lost == 0);
  CHECK(log.take().records.empty());
  for (size_t i = 0; i < limits::kConnectionRecordsMax + 3; i++) log.add({});
  batch = log.take();
  CHECK(batch.records.size() == limits::kConnectionRecordsMax);
  CHECK(batch.lost == 3);
  CHECK(world.settle_accounts() == "");
}
