// SPDX-License-Identifier: Apache-2.0
// Scenarios: more clients than there is room for. Who is refused, who makes room, what is counted,
// and that nobody is cut off in the middle of a response.
#include <ostream>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "fakes/world.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::Ending;
using conn::Overdue;
using conn::Shed;
using conn::State;

namespace {

struct Crowd {
  explicit Crowd(conn::Options options = World::small_options()) : world(options) {
    world.site.write("ten", 10);
    world.site.write("large", 400'000);
  }

  Peer from(uint64_t address) {
    const Peer peer = world.connect([&](Socket& s, TlsScript&) { s.peer_address = address; });
    world.turns();
    all.push_back(peer);
    return peer;
  }
  // Who makes room is gone once its peer has acknowledged the farewell.
  void acknowledge() {
    for (const Peer& peer : all)
      if (!peer.socket().closed()) peer.socket().peer_takes();
    world.advance(2 * limits::kTickMsMax);
  }
  // A keep-alive connection whose client has had its response.
  Peer idle_from(uint64_t address) {
    const Peer peer = from(address);
    peer.get("/ten");
    world.pump(peer);
    return peer;
  }
  Peer hesitant_from(uint64_t address) {
    const Peer peer = world.connect([&](Socket& s, TlsScript& script) {
      s.peer_address = address;
      script.handshake = {tls::Handshake::NeedRead};
    });
    world.turns();
    return peer;
  }
  bool refused(const Peer& peer) {
    return world.find(peer.fd()) == nullptr && peer.socket().severed();
  }
  uint64_t shed(Shed reason) { return world.figures.shed_by[static_cast<size_t>(reason)].get(); }
  uint64_t overdue(Overdue clock) {
    return world.figures.overdue[static_cast<size_t>(clock)].get();
  }

  World world;
  std::vector<Peer> all;
};

}  // namespace

TEST_CASE("admission: when the table is full the longest idle makes room, by an ordinary close") {
  Crowd crowd;
  std::vector<Peer> peers;
  for (uint64_t i = 0; i < 4; i++) peers.push_back(crowd.idle_from(i));
  peers[0].get("/ten");  // so the second is the longest idle
  crowd.world.pump(peers[0]);
  const Peer late = crowd.idle_from(9);
  CHECK(late.responses().size() == 1);
  CHECK(crowd.world.state(peers[1]) == State::Linger);
  crowd.acknowledge();
  CHECK(crowd.world.state(peers[1]) == State::Free);
  CHECK(crowd.world.ending(peers[1]) == Ending::Drained);
  CHECK(peers[1].alerts() == std::vector<uint8_t>{0});
  for (const size_t i : {0, 2, 3}) CHECK(crowd.world.state(peers[i]) == State::ReadHead);
  CHECK(crowd.world.figures.evicted.get() == 1);
  CHECK(crowd.world.figures.shed.get() == 0);
  CHECK(crowd.world.settle_accounts() == "");
}

TEST_CASE("admission: one after the other, for ever, and no client of theirs is refused") {
  Crowd crowd;
  for (uint64_t i = 0; i < 200; i++) {
    CHECK(crowd.idle_from(i).responses().size() == 1);
    if (i % limits::kLeavingMax == 0) crowd.acknowledge();
  }
  crowd.acknowledge();
  CHECK(crowd.world.figures.shed.get() == 0);
  CHECK(crowd.world.figures.evicted.get() == 196);
  CHECK(crowd.world.occupancy->addresses() == 4);
  CHECK(crowd.world.settle_accounts() == "");
}

TEST_CASE("admission: those that left are not counted while the closer is late, up to a bound") {
  Crowd crowd;
  for (uint64_t i = 0; i < 4; i++) crowd.idle_from(i);
  kernel().hold_closes = true;
  for (uint64_t i = 0; i < limits::kLeavingMax; i++) {
    CHECK(crowd.idle_from(100 + i).responses().size() == 1);
    crowd.acknowledge();
  }
  CHECK(crowd.world.closer.backlog() == limits::kLeavingMax);
  CHECK(crowd.world.figures.shed.get() == 0);
  // From here on its descriptors are what is short.
  CHECK(crowd.refused(crowd.from(200)));
  kernel().hold_closes = false;
  CHECK(crowd.world.settle_accounts() == "");
}

TEST_CASE("admission: who receives a response or has just come does not make room") {
  Crowd crowd;
  std::vector<Peer> peers;
  for (uint64_t i = 0; i < 2; i++) {
    peers.push_back(crowd.from(i));
    peers.back().get("/large");
    crowd.world.turns();
  }
  for (uint64_t i = 2; i < 4; i++) peers.push_back(crowd.hesitant_from(i));
  const Peer late = crowd.from(9);
  CHECK(crowd.refused(late));
  CHECK(crowd.shed(Shed::Slots) == 1);
  for (const Peer& peer : peers) CHECK(crowd.world.state(peer) != State::Free);
  for (size_t i = 0; i < 2; i++) crowd.world.pump(peers[i]);
  for (size_t i = 0; i < 2; i++) CHECK(peers[i].responses().at(0).whole);
  CHECK(crowd.world.settle_accounts() == "");
}

TEST_CASE("admission: who has not said for two seconds what it wants makes room") {
  for (const int what : {0, 1, 2, 3}) {
    CAPTURE(what);
    conn::Options options = World::small_options();
    options.handshake_timeout_ms = options.head_timeout_ms = options.request_timeout_ms = 60'000;
    Crowd crowd(options);
    std::vector<Peer> peers;
    for (uint64_t i = 0; i < 4; i++) {
      peers.push_back(what == 0 ? crowd.hesitant_from(i) : crowd.from(i));
      if (what == 1) peers.back().sends("GET / HTTP/1.1\r\n");
      if (what == 2) peers.back().sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx");
      crowd.world.turns();
    }
    CHECK(crowd.refused(crowd.from(8)));
    crowd.world.advance(limits::kHesitationMs);
    const Peer late = crowd.idle_from(9);
    CHECK(late.responses().size() == 1);
    crowd.acknowledge();
    CHECK(crowd.world.state(peers[0]) == State::Free);
    for (const size_t i : {1, 2, 3}) CHECK(crowd.world.state(peers[i]) != State::Free);
    CHECK(crowd.world.settle_accounts() == "");
  }
}

TEST_CASE("admission: so many for one address, and its own idle ones make room") {
  conn::Options options = World::small_options();
  options.connections_per_address_max = 2;
  Crowd crowd(options);
  const Peer other = crowd.idle_from(2);
  const Peer busy = crowd.from(1);
  busy.get("/large");
  crowd.world.turns();
  const Peer idle = crowd.idle_from(1);
  CHECK(crowd.idle_from(1).responses().size() == 1);
  crowd.acknowledge();
  CHECK(crowd.world.state(idle) == State::Free);
  CHECK(crowd.world.state(other) == State::ReadHead);
  crowd.world.pump(busy);
  CHECK(busy.responses().at(0).whole);
  CHECK(crowd.world.settle_accounts() == "");

  Crowd full(options);
  for (int i = 0; i < 2; i++) full.from(1);  // they have not been served yet
  CHECK(full.refused(full.from(1)));
  CHECK(full.shed(Shed::Address) == 1);
  CHECK(full.idle_from(2).responses().size() == 1);
  CHECK(full.world.settle_accounts() == "");
}

TEST_CASE("admission: so many handshakes in flight, and the oldest makes room") {
  conn::Options options = World::small_options();
  options.handshakes_max = 2;
  options.handshake_timeout_ms = 60'000;
  Crowd crowd(options);
  const Peer first = crowd.hesitant_from(1), second = crowd.hesitant_from(2);
  CHECK(crowd.refused(crowd.hesitant_from(3)));
  CHECK(crowd.shed(Shed::Handshakes) == 1);
  crowd.world.advance(limits::kHesitationMs);
  CHECK(crowd.idle_from(4).responses().size() == 1);
  CHECK(crowd.world.state(first) == State::Free);
  CHECK(crowd.world.ending(first) == Ending::NotServed);
  CHECK(crowd.world.state(second) == State::Handshake);
  CHECK(crowd.world.settle_accounts() == "");
}

TEST_CASE("admission: those that leave are bounded, whatever they wait for") {
  conn::Options options = World::small_options();
  Crowd crowd(options);
  std::vector<Peer> idle;
  for (uint64_t i = 0; i < 4; i++) idle.push_back(crowd.idle_from(i));
  crowd.world.ring->hold_cancels = true;  // their slots are not free before the ring has let go,
                                          // nor before their peers have acknowledged the farewell
  uint64_t admitted = 0;
  for (uint64_t i = 0; i < 100; i++)
    if (!crowd.idle_from(100 + i).responses().empty()) admitted++;
  CHECK(admitted == limits::kLeavingMax);
  CHECK(crowd.shed(Shed::Slots) == 100 - limits::kLeavingMax);
  crowd.world.ring->hold_cancels = false;
  crowd.world.ring->release_cancels();
  crowd.acknowledge();
  CHECK(crowd.world.occupancy->leaving() == 0);
  CHECK(crowd.idle_from(999).responses().size() == 1);
  CHECK(crowd.world.settle_accounts() == "");
}

TEST_CASE("admission: for want of descriptors an idle connection is ended, and no other") {
  Crowd crowd;
  const Peer busy = crowd.from(1);
  busy.get("/large");
  crowd.world.turns();
  CHECK_FALSE(conn::make_room(*crowd.world.services));
  const Peer idle = crowd.idle_from(2);
  CHECK(conn::make_room(*crowd.world.services));
  crowd.world.turns();
  crowd.acknowledge();
  CHECK(crowd.world.state(idle) == State::Free);
  CHECK(crowd.world.state(busy) != State::Free);
  CHECK(crowd.world.settle_accounts() == "");
}

TEST_CASE("requests per connection: the last one says that it is") {
  conn::Options options = World::small_options();
  options.requests_per_connection_max = 3;
  Crowd crowd(options);
  const Peer peer = crowd.from(1);
  for (int i = 0; i < 5; i++) peer.get("/ten");
  crowd.world.run_to_end(peer);
  const std::vector<Response> all = peer.responses();
  REQUIRE(all.size() == 3);
  for (size_t i = 0; i < 3; i++)
    CHECK((all[i].head.find("Connection: close") != std::string::npos) == (i == 2));
  CHECK(crowd.world.ending(peer) == Ending::Drained);
  CHECK(crowd.world.settle_accounts() == "");
}

TEST_CASE("least rate: who reads byte by byte is cut off, who is only slow gets everything") {
  struct Row {
    size_t bytes_a_second;
    bool whole;
  };
  for (const Row& row : {Row{0, false}, Row{1, false}, Row{900, false}, Row{1100, true}}) {
    for (const char* path : {"/large", "/ten", "/none"}) {  // one response, or many
      CAPTURE(row.bytes_a_second);
      CAPTURE(path);
      conn::Options options = World::small_options();
      options.send_rate_min_bytes_per_s = 1000;
      Crowd crowd(options);
      const Peer peer =
          crowd.world.connect([](Socket& socket, TlsScript&) { socket.send_buffer_bytes = 4096; });
      for (int i = 0; i < 400; i++) peer.get(path);
      for (int second = 0; second < 60; second++) {
        crowd.world.advance(1000);
        if (peer.socket().closed()) break;
        peer.socket().cipher_completes_all();
        peer.socket().peer_takes(row.bytes_a_second);
      }
      CHECK(peer.socket().closed() != row.whole);
      CHECK(crowd.overdue(Overdue::Stall) == (row.whole ? 0 : 1));
      if (!row.whole) CHECK(crowd.world.ending(peer) == Ending::Aborted);
      CHECK(crowd.world.settle_accounts() == "");
    }
  }
}

TEST_CASE("least rate: a pause between requests excuses nobody who has not read the responses") {
  for (bool reads : {false, true}) {
    CAPTURE(reads);
    conn::Options options = World::small_options();
    options.send_rate_min_bytes_per_s = 1000;
    Crowd crowd(options);
    const Peer peer =
        crowd.world.connect([](Socket& socket, TlsScript&) { socket.send_buffer_bytes = 4096; });
    for (int i = 0; i < 20; i++) peer.get("/ten");
    crowd.world.turns();
    REQUIRE(crowd.world.state(peer) == State::Respond);  // it lags
    if (reads) crowd.world.pump(peer);
    for (int i = 0; i < 600 && !peer.socket().closed(); i++) {
      crowd.world.advance(100);
      peer.socket().peer_takes(reads && i % 10 == 0 ? SIZE_MAX : 90);
      if (crowd.world.state(peer) != State::ReadHead || (reads && i % 10 != 9)) continue;
      peer.get("/ten");
      crowd.world.turns();
    }
    CHECK(peer.socket().closed() != reads);
    CHECK(crowd.overdue(Overdue::Stall) == (reads ? 0 : 1));
    CHECK(crowd.world.settle_accounts() == "");
  }
}

TEST_CASE("every clock that a client runs out of is counted") {
  conn::Options options = World::small_options();
  options.connections_max = 10;
  Crowd crowd(options);
  const std::vector<Peer> others{crowd.hesitant_from(1), crowd.idle_from(2), crowd.from(3),
                                 crowd.from(4)};
  others[2].sends("GET /");
  others[3].sends(Peer::request("GET", "/", "Content-Length: 9\r\n"));
  const Peer stalled = crowd.from(5);
  stalled.socket().send_buffer_bytes = 1000;
  stalled.get("/large");
  for (int second = 0; second < 60; second++) {
    crowd.world.advance(1000);
    for (const Peer& peer : others)
      if (!peer.socket().closed()) peer.socket().peer_takes();
  }
  for (const Overdue clock :
       {Overdue::Handshake, Overdue::Idle, Overdue::Head, Overdue::Request, Overdue::Stall}) {
    CAPTURE(static_cast<int>(clock));
    CHECK(crowd.overdue(clock) == 1);
  }
  CHECK(crowd.world.settle_accounts() == "");
}

TEST_CASE("the bounds of a head are the configuration's (RFC 9110 15.5.15, RFC 6585 5)") {
  conn::Options options = World::small_options();
  options.head = {512, 64, 8};
  struct Row {
    std::string request;
    int status;
  };
  std::string many;
  for (int i = 0; i < 8; i++) many += "X: y\r\n";
  for (const Row& row : {Row{Peer::request("GET", "/ten"), 200},
                         Row{Peer::request("GET", "/" + std::string(64, 'a')), 414},
                         Row{Peer::request("GET", "/ten", many), 431},
                         Row{Peer::request("GET", "/ten", "X: " + std::string(512, 'a')), 431}}) {
    Crowd crowd(options);
    const Peer peer = crowd.from(1);
    peer.sends(row.request);
    crowd.world.pump(peer);
    REQUIRE(peer.responses().size() == 1);
    CHECK(peer.responses()[0].status == row.status);
    CHECK(crowd.world.settle_accounts() == "");
  }
}

TEST_CASE("admission: an address with many handshakes makes room for one with fewer, at once") {
  conn::Options options = World::small_options();
  options.connections_max = 20;
  options.handshakes_max = 8;
  options.handshake_timeout_ms = 60'000;
  Crowd crowd(options);
  std::vector<Peer> flood;
  for (int i = 0; i < 8; i++) flood.push_back(crowd.hesitant_from(1));
  CHECK(crowd.refused(crowd.hesitant_from(1)));  // for itself it makes room only when it is slow
  const Peer other = crowd.hesitant_from(2);
  CHECK(crowd.world.state(other) == State::Handshake);
  CHECK(crowd.world.state(flood[0]) == State::Free);
  for (size_t i = 1; i < 8; i++) CHECK(crowd.world.state(flood[i]) == State::Handshake);
  // And again, until both have alike.
  for (int i = 0; i < 3; i++) CHECK_FALSE(crowd.refused(crowd.hesitant_from(2)));
  CHECK(crowd.refused(crowd.hesitant_from(2)));
  CHECK_FALSE(crowd.refused(crowd.hesitant_from(3)));
  CHECK(crowd.world.figures.evicted.get() == 5);
  CHECK(crowd.world.settle_accounts() == "");
}

TEST_CASE("admission: a full table makes room by the handshakes of whoever has most of them") {
  conn::Options options = World::small_options();
  options.connections_max = 6;
  options.handshake_timeout_ms = 60'000;
  Crowd crowd(options);
  const Peer busy = crowd.from(9);
  busy.get("/large");
  crowd.world.turns();
  std::vector<Peer> flood;
  for (int i = 0; i < 5; i++) flood.push_back(crowd.hesitant_from(1));
  CHECK(crowd.idle_from(2).responses().size() == 1);
  CHECK(crowd.world.state(flood[0]) == State::Free);
  CHECK(crowd.shed(Shed::Slots) == 0);
  crowd.world.pump(busy);
  CHECK(busy.responses().at(0).whole);
  CHECK(crowd.world.settle_accounts() == "");
}
