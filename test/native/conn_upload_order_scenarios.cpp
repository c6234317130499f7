// SPDX-License-Identifier: Apache-2.0
// Scenarios: uploads whose connections are cut, whose writes are late and short, in seeded orders.
#include <ostream>
#include <string>

#include "doctest/doctest.h"
#include "fakes/part.hpp"
#include "fakes/random.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::State;

TEST_CASE("upload: in any order of events the file has what was sent, from its begin") {
  for (uint64_t seed = 1; seed <= 400; seed++) {
    CAPTURE(seed);
    Random random(seed);
    World world;
    const size_t size = 1 + random.below(900'000);
    const std::string body = Site::content("part", size);
    Part part(world, size);
    world.support.splices_received = !random.one_in(4);
    world.ring->hold_file_operations = true;
    Peer peer{0};
    size_t sent = 0;
    bool connected = false, concluded = false;
    int connections = 0;
    for (int i = 0; i < 4000 && !concluded; i++) {
      if (!connected) {
        const uint64_t there = part.ticket->offset();
        if (part.ticket->snapshot().receiving) world.services->now_ms += limits::kUploadQuietMs;
        while (world.ring->held() > 0) world.ring->finish(0);
        world.turns();
        if (there != part.ticket->offset()) continue;
        peer = connect(world, random.one_in(3) ? Path::UserSpace : Path::KernelSync);
        sent = there;
        if (there == size) {
          peer.sends(put(0));
        } else {
          peer.sends(put(size - there, "Content-Range: bytes " + std::to_string(there) + "-" +
                                           std::to_string(size - 1) + "/*\r\n"));
        }
        connected = true;
        connections++;
      }
      switch (random.below(8)) {
        case 0:
        case 1:
        case 2: {
          const size_t bytes = std::min<size_t>(size - sent, 1 + random.below(16384));
          if (bytes > 0) peer.sends(body.substr(sent, bytes));
          sent += bytes;
          break;
        }
        case 3:
          if (world.ring->held() > 0) world.ring->finish(0);
          break;
        case 4:
          if (world.ring->held() > 0) world.ring->finish_short(0, 1 + random.below(40'000));
          break;
        case 5:
          if (random.one_in(30) && connections < 4) {
            random.one_in(2) ? peer.socket().peer_resets() : peer.socket().peer_half_closes();
            connected = false;
          }
          break;
        default:
          random.one_in(2) ? world.deliver_one() : world.turn();
      }
      CHECK(part.ticket->offset() <= size);
      peer.socket().cipher_completes_all();
      peer.socket().peer_takes();
      const bool refused = connected && !peer.responses().empty();
      if (refused) {  // 409: the one before it has not quite left
        CHECK(peer.responses().back().status == 409);
        peer.socket().peer_half_closes();
        connected = false;
      }
      if (part.ticket->offset() == size && connected && world.state(peer) == State::Receive &&
          world.ring->held() == 0) {
        part.ticket->conclude({200, "{}"});
        world.advance(400);
        world.pump(peer);
        CHECK(peer.responses().back().status == 200);
        concluded = true;
      }
    }
    CHECK(concluded);
    REQUIRE(part.content() == body);
    REQUIRE(part.settle() == "");
  }
}
