// SPDX-License-Identifier: Apache-2.0
// Scenarios: when the next request is looked for, and that nothing is overlooked meanwhile. After a
// read that left room only a control record can be behind the data without an edge of its own.
#include <ostream>
#include <string>

#include "conn/alert.hpp"
#include "doctest/doctest.h"
#include "fakes/world.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::Ending;
using conn::State;
namespace alert = spliced::conn::alert;

namespace {

using Alerts = std::vector<uint8_t>;

struct Client {
  explicit Client(bool sends_at_once = false) : peer(connect(sends_at_once)) {}

  World world;
  Peer peer;

  Peer connect(bool sends_at_once) {
    world.ring->sends_at_once = sends_at_once;
    world.site.write("ten", 10);
    const Peer made = world.connect();
    world.turns();
    REQUIRE(world.state(made) == State::ReadHead);
    return made;
  }
  size_t receives() const { return peer.socket().receives(); }
  // A request and its response: a turn, and one more where the ring sends.
  void ask() {
    peer.get("/ten");
    world.turn();
    if (!world.ring->sends_at_once) world.turn();
    peer.socket().peer_takes();
  }
};

}  // namespace

TEST_CASE("a client that takes its time is read once for each request") {
  for (const bool at_once : {false, true}) {
    for (const bool alone : {false, true}) {  // no turn of others, but time
      CAPTURE(at_once);
      CAPTURE(alone);
      Client client(at_once);
      client.ask();
      const size_t before = client.receives();
      for (int i = 0; i < 10; i++) {
        if (alone) {
          client.world.services->now_ms += 5;
        } else {
          client.world.turns(2);
          client.world.turn();
        }
        client.ask();
      }
      CHECK(client.receives() - before == 10);
      CHECK(client.peer.responses().size() == 11);
      CHECK(client.world.settle_accounts() == "");
    }
  }
}

TEST_CASE("the first look after a pause finds what has no edge, and is the last one") {
  Client client;
  client.ask();
  const size_t before = client.receives();
  client.world.advance(10 * limits::kIdleTickMs);
  CHECK(client.receives() - before == 1);
  CHECK(client.world.settle_accounts() == "");
}

TEST_CASE("a client whose next request is there by the next turn is looked at once answered") {
  for (const bool at_once : {false, true}) {
    CAPTURE(at_once);
    Client client(at_once);
    for (int i = 0; i < 3; i++) client.ask();
    const size_t before = client.receives();
    client.ask();
    CHECK(client.receives() - before == 2);  // the second in vain
    client.world.turns(2);
    client.world.turn();
    client.ask();  // it was not that prompt: from now on its edge is waited for
    CHECK(client.receives() - before == 3);
    CHECK(client.peer.responses().size() == 5);
    CHECK(client.world.settle_accounts() == "");
  }
}

TEST_CASE("a request that came while the ring sends is answered by a stop, without its edge") {
  Client client;
  client.ask();
  client.world.turns(3);
  client.peer.get("/ten");
  client.world.turn();  // the ring has the response
  conn::begin_stop(*client.world.services);
  client.world.ring->drop_edges = true;
  client.peer.get("/ten");
  client.world.turn();
  client.world.ring->drop_edges = false;
  client.world.run_to_end(client.peer);
  CHECK(client.peer.responses().size() == 3);
  CHECK(client.world.ending(client.peer) == Ending::Drained);
  CHECK(client.world.settle_accounts() == "");
}

TEST_CASE("a request that comes while a response is sent is read when that is out") {
  World world;
  world.site.write("huge", 300'000);
  const Peer peer = world.connect();
  world.turns();
  peer.get("/huge");
  world.turns();
  REQUIRE(world.state(peer) == State::Splice);
  peer.get("/huge");
  for (int i = 0; i < 100; i++) {
    world.turns();
    if (peer.socket().peer_takes() == 0) break;
  }
  CHECK(peer.responses().size() == 2);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("a close_notify behind a request, without an edge of its own, is found by a tick") {
  Client client;
  client.peer.get("/ten");
  client.peer.says_goodbye();
  client.world.turns();
  REQUIRE(client.world.state(client.peer) == State::ReadHead);
  client.peer.socket().peer_takes();
  client.world.advance(limits::kIdleTickMs + limits::kTickMs);
  client.peer.socket().peer_takes();
  CHECK(client.peer.alerts() == Alerts{alert::kCloseNotify});
  client.world.run_to_end(client.peer);
  CHECK(client.peer.responses().size() == 1);
  CHECK(client.world.ending(client.peer) == Ending::Drained);
  CHECK(client.world.settle_accounts() == "");
}

TEST_CASE("a FIN that came with the request is not waited for") {
  Client client;
  client.peer.get("/ten");
  client.peer.says_goodbye();
  client.peer.socket().peer_half_closes();
  client.world.turns();
  CHECK(client.world.state(client.peer) == State::Free);
  client.peer.socket().peer_takes();
  CHECK(client.peer.responses().size() == 1);
  CHECK(client.peer.alerts() == Alerts{alert::kCloseNotify});
  CHECK(!client.peer.socket().reset());
  CHECK(client.world.settle_accounts() == "");
}

TEST_CASE("what was not looked at does not turn a close into a reset") {
  Client client;
  client.peer.get("/ten");
  client.peer.says_goodbye();
  client.world.turns();
  REQUIRE(client.world.state(client.peer) == State::ReadHead);
  const uint64_t idle = client.world.services->options.idle_timeout_ms;
  client.world.services->now_ms += idle;  // its deadline is there before any tick
  conn::run_deadlines(*client.world.services);
  client.world.turns();
  client.peer.socket().peer_takes();
  client.world.advance(client.world.services->options.linger_timeout_ms + limits::kTickMs);
  REQUIRE(client.world.state(client.peer) == State::Free);
  CHECK(client.peer.responses().size() == 1);
  CHECK(client.world.ending(client.peer) == Ending::Drained);
  CHECK(!client.peer.socket().reset());
  CHECK(client.world.settle_accounts() == "");
}
