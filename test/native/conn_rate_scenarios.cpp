// SPDX-License-Identifier: Apache-2.0
// Scenarios: how fast an answer may go, and who is not cut off for it.
#include <string>

#include "doctest/doctest.h"
#include "fakes/proxied.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::Ending;

TEST_CASE("TCP is told a route's rate with its answer, and the next one's with that") {
  Proxied world;
  http::Route files, slow, proxied = proxy_route();
  slow.prefix = "slow";
  slow.rate_max_bytes_per_s = 50'000;
  proxied.prefix = "app";
  proxied.rate_max_bytes_per_s = 70'000;
  world.serve({files, slow, proxied});
  world.site.write("a", 1000);
  world.site.write("slow/a", 1000);
  const Peer peer = connect(world, Path::KernelSync);
  CHECK(peer.socket().rate_max == 0);
  for (const auto& [path, rate] : {std::pair<const char*, uint64_t>{"/slow/a", 50'000},
                                   {"/a", 0},
                                   {"/app", 70'000},
                                   {"/slow/none", 50'000}}) {
    CAPTURE(path);
    const size_t before = peer.responses().size();
    peer.get(path);
    world.play(peer);
    if (std::string(path) == "/app") world.application().peer_sends(answer("x"));
    world.play(peer);
    CHECK(peer.responses().size() == before + 1);
    CHECK(peer.socket().rate_max == rate);
  }
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("who acknowledges half of the rate is served, below it is not") {
  for (const bool obeys : {true, false}) {
    CAPTURE(obeys);
    conn::Options options = World::small_options();
    options.send_rate_min_bytes_per_s = 1'000'000;
    World world(options);
    http::Route route;
    route.rate_max_bytes_per_s = 20'000;
    world.serve({route});
    world.site.write("a", 200'000);
    const Peer peer = connect(world, Path::KernelSync, 8'000);
    peer.get("/a");
    world.turns();
    for (int i = 0; i < 100 && world.ending(peer) == Ending::None; i++) {
      world.advance(100);
      peer.socket().peer_takes(obeys ? 1500 : 500);
      world.turns();
    }
    CHECK((world.ending(peer) == Ending::Aborted) == !obeys);
  }
}
