// SPDX-License-Identifier: Apache-2.0
// Sends a request and returns its response, by each of the paths that a body can take.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "fakes/world.hpp"

namespace spliced::fakes {

enum class Path : uint8_t { KernelSync, KernelAsync, UserSpace };
inline constexpr Path kPaths[] = {Path::KernelSync, Path::KernelAsync, Path::UserSpace};

inline Peer connect(World& world, Path path, size_t send_buffer_bytes = 65536) {
  return world.connect([&](Socket& socket, TlsScript& script) {
    socket.send_buffer_bytes = send_buffer_bytes;
    socket.asynchronous_cipher = path == Path::KernelAsync;
    if (path == Path::UserSpace) script.outcome = tls::Promotion::Outcome::UserSpace;
  });
}

// One response to one request, on a connection of its own.
inline Response ask(World& world, Path path, const std::string& request, bool head = false) {
  const Peer peer = connect(world, path);
  peer.sends(request);
  world.pump(peer, 400);
  const std::vector<Response> all = peer.responses({head});
  REQUIRE(all.size() == 1);
  CHECK(all[0].whole);
  CHECK(world.ending(peer) == conn::Ending::None);
  peer.says_goodbye();
  world.run_to_end(peer);
  CHECK(peer.alerts() == std::vector<uint8_t>{0});
  CHECK(peer.socket().fin_arrived());
  CHECK(world.ending(peer) == conn::Ending::Drained);
  return all[0];
}

}  // namespace spliced::fakes
