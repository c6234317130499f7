// SPDX-License-Identifier: Apache-2.0
// Scenarios: how many records go under one key in each direction, where the kernel takes new ones
// (Linux 6.14 and later): new keys instead of the limit.
#include <algorithm>
#include <string>

#include "conn/alert.hpp"
#include "doctest/doctest.h"
#include "fakes/new_keys.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::Ending;
using conn::State;
namespace alert = spliced::conn::alert;

namespace {

size_t most_records_under_one_key(const Peer& peer) {
  size_t most = 0, count = 0;
  for (const wire::Record& record : peer.arrived().records) {
    most = std::max(most, ++count);
    if (record.type == wire::kHandshake) count = 0;
  }
  return most;
}

// A connection whose keys are good for 32 records, and what its client sends over it.
struct Receiving {
  World world{with_limit(32)};
  Peer peer = connect_with_new_keys(world);

  static conn::Options with_limit(uint64_t records) {
    conn::Options options = World::small_options();
    options.records_per_key_max = records;
    return options;
  }
  // Each counts as two records.
  void sends(int count) {
    for (int i = 0; i < count; i++) {
      peer.sends("x");
      world.turns();
    }
  }
};

}  // namespace

TEST_CASE("sending: new keys instead of the limit, in front of a response and inside a body") {
  for (bool asynchronous : {false, true}) {
    for (uint64_t margin : {uint64_t{0}, uint64_t{1}, uint64_t{8}}) {
      CAPTURE(asynchronous);
      CAPTURE(margin);
      World world;
      const std::string content = world.site.write("file", 1'000'000);
      world.site.write("ten", 10);
      const Peer peer =
          connect_with_new_keys(world, kTls13, asynchronous, limits::kRecordsPerKeyMax - margin);
      peer.get("/ten");
      peer.get("/file");
      peer.get("/ten");
      world.run_to_end(peer, 60'000);
      REQUIRE(peer.responses().size() == 3);
      CHECK(peer.responses()[1].body == content);
      CHECK(peer.arrived().key_updates == Updates{0});
      CHECK(world.figures.record_limit_closes.get() == 0);
      CHECK(world.figures.ledger_contradictions.get() == 0);
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("sending: new keys again and again, while the peer changes its own") {
  for (const bool cold : {false, true}) {  // by sendfile, and by a pipe
    CAPTURE(cold);
    conn::Options options = World::small_options();
    options.records_per_key_max = 3;
    World world(options);
    if (cold) kernel().residency = Kernel::Residency::Cold;
    const std::string content = world.site.write("file", 400'000);
    const Peer peer = connect_with_new_keys(world);
    peer.get("/file");
    peer.updates_key(true);
    peer.get("/file");
    peer.updates_key(false);
    peer.get("/file");
    world.run_to_end(peer, 60'000);
    REQUIRE(peer.responses().size() == 3);
    for (const Response& response : peer.responses()) CHECK(response.body == content);
    CHECK(peer.arrived().key_updates.size() == world.figures.key_updates_sent.get());
    CHECK(world.figures.key_updates_sent.get() > 10);
    CHECK(world.figures.key_updates_received.get() == 2);
    // What a call takes is not cut in the middle.
    CHECK(most_records_under_one_key(peer) <= 3 + limits::kPendingWindowBytesMin / 16'384);
    CHECK(world.figures.ledger_contradictions.get() == 0);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("sending: new keys that find no room, in front of an answer that the ring would send") {
  World world;
  const Peer peer = connect_with_new_keys(world, kTls13, false, limits::kRecordsPerKeyMax);
  peer.socket().peer_takes();
  peer.socket().send_buffer_bytes = 1;  // the first record fills it
  peer.get("/nothing");
  world.turns();
  const size_t sends = peer.socket().sends();
  peer.get("/nothing");
  world.turns();
  CHECK(world.state(peer) == State::Respond);
  CHECK(world.figures.key_updates_sent.get() == 0);
  CHECK(peer.socket().sends() == sends);  // no data before them
  peer.socket().send_buffer_bytes = 65536;
  world.pump(peer);
  CHECK(peer.responses().size() == 2);
  CHECK(peer.arrived().key_updates == Updates{0});
  peer.says_goodbye();
  world.run_to_end(peer);
  CHECK(world.ending(peer) == Ending::Drained);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("sending: the record that is open when the keys change is closed, for us too") {
  for (const bool cold : {false, true}) {
    CAPTURE(cold);
    conn::Options options = World::small_options();
    options.records_per_key_max = 3;
    World world(options);
    if (cold) kernel().residency = Kernel::Residency::Cold;
    const std::string content = world.site.write("file", 400'000);
    const Peer peer = connect_with_new_keys(world);
    Socket& socket = peer.socket();
    socket.take_at_most = 5000;
    socket.on_send = [&] {
      CHECK(world.find(peer.fd())->pending.open_record_bytes == socket.open_record_bytes());
    };
    peer.get("/file");
    world.run_to_end(peer);
    size_t closed_early = 0;
    const std::vector<wire::Record> records = peer.arrived().records;
    for (size_t i = 3; i < records.size(); i++)  // behind the handshake's and the head's
      if (records[i].type == wire::kHandshake && records[i - 1].payload.size() < 16'384)
        closed_early++;
    CHECK(closed_early > 3);
    REQUIRE(peer.responses().size() == 1);
    CHECK(peer.responses()[0].body == content);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("receiving: the kernel is asked for the record's number when it could be the limit") {
  Receiving receiving;
  auto& [world, peer] = receiving;
  receiving.sends(15);
  CHECK(peer.socket().receive_sequence_reads() == 0);
  for (size_t key = 1; key <= 2; key++) {
    receiving.sends(key == 1 ? 16 : 31);
    CHECK(world.figures.key_updates_sent.get() == key - 1);
    receiving.sends(1);
    CHECK(world.figures.key_updates_sent.get() == key);
    // At 16, 24, 28, 30, 31 and 32 records.
    if (key == 1) CHECK(peer.socket().receive_sequence_reads() == 6);
    peer.updates_key(false);
    world.turns();
  }
  world.run_to_end(peer);
  CHECK(peer.arrived().key_updates == Updates{1, 1});
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("receiving: a kernel that does not tell the record's number when it could be the limit") {
  Receiving receiving;
  auto& [world, peer] = receiving;
  peer.socket().figures_fail = true;
  receiving.sends(15);
  CHECK(world.figures.record_limit_closes.get() == 0);
  receiving.sends(1);
  CHECK(world.figures.record_limit_closes.get() == 1);
  peer.socket().figures_fail = false;
  world.run_to_end(peer);
  CHECK(peer.alerts() == Alerts{alert::kCloseNotify});
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("receiving: the peer is asked for new keys once, and ended when it has none") {
  for (bool obeys : {true, false}) {
    CAPTURE(obeys);
    World world;
    const Peer peer = connect_with_new_keys(world);
    peer.socket().records_received_are_at(limits::kRecordsPerKeyMax);
    const auto sends = [&](int count) {
      for (int i = 0; i < count; i++) {
        peer.sends("x");
        world.turns();
      }
    };
    world.services->slots[0].tls.receive_sequence_at_most = limits::kRecordsPerKeyMax;
    sends(20);
    peer.socket().peer_takes();
    CHECK(peer.arrived().key_updates == Updates{1});
    if (obeys) peer.updates_key(false);
    world.turns();
    if (!obeys)
      peer.socket().records_received_are_at(limits::kRecordsPerKeyMax +
                                            limits::kRecordsToUpdateKeys);
    sends(20);
    CHECK(world.figures.record_limit_closes.get() == (obeys ? 0 : 1));
    CHECK((world.state(peer) == State::ReadHead) == obeys);
    if (obeys) {  // and asked again when that key is used up
      peer.socket().records_received_are_at(limits::kRecordsPerKeyMax);
      world.services->slots[0].tls.receive_sequence_at_most = limits::kRecordsPerKeyMax;
      sends(20);
      peer.socket().peer_takes();
    }
    world.run_to_end(peer);
    CHECK(peer.arrived().key_updates == (obeys ? Updates{1, 1} : Updates{1}));
    CHECK(world.settle_accounts() == "");
  }
}
