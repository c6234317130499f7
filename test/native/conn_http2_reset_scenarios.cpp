// SPDX-License-Identifier: Apache-2.0
// Streams of HTTP/2 that are reset between the end of a ring's operation and their turn.
#include <filesystem>
#include <iterator>
#include <string>

#include "base/limits.hpp"
#include "doctest/doctest.h"
#include "fakes/http2.hpp"
#include "fakes/world.hpp"

using namespace spliced;
using namespace spliced::fakes;

namespace {

size_t descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

}  // namespace

TEST_CASE("HTTP/2: a reset that is read before the file that was opened for its stream is taken") {
  const size_t before = descriptors();
  size_t behind = 0;
  // More than is read in some turns lies before the reset, which so comes before the ring's
  // completion, with it, or after it.
  for (int fillers = 0; fillers < 5 * limits::kReadsPerTurn; fillers++) {
    CAPTURE(fillers);
    World world;
    world.site.write("page", 16384);
    kernel().names_resident = false;  // the ring opens
    world.ring->hold_file_operations = true;
    Peer peer = world.connect([](Socket&, TlsScript& script) { script.http2 = true; });
    peer.sends(kPreface + frame(4, 0, 0));
    world.turns();
    peer.sends(frame(1, 5, 1, request_fields("GET", "/page")));
    for (int i = 0; i < fillers; i++) peer.sends(frame(0x2a, 0, 0, std::string(16'000, 'f')));
    peer.sends(frame(3, 0, 1, number(8, 4)));
    for (int i = 0; i < 50 && world.ring->held() == 0; i++) world.turn();
    if (world.ring->held() == 1) {
      if (world.figures.streams_reset_by_peer.get() == 0) behind++;
      world.ring->finish();
    }
    world.turns();
    CHECK(world.figures.streams_reset_by_peer.get() == 1);
    CHECK(world.settle_accounts() == "");
  }
  CHECK(behind > 0);
  CHECK(descriptors() == before);  // also of the cache, which is gone
}
