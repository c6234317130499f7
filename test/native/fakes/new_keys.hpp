// SPDX-License-Identifier: Apache-2.0
// A connection whose kernel takes new keys (Linux 6.14 and later).
#pragma once
#include <cstdint>
#include <vector>

#include "doctest/doctest.h"
#include "fakes/world.hpp"

namespace spliced::fakes {

// Indices of tls::kCiphers.
constexpr size_t kTls13 = 0, kTls12 = 3;

using Updates = std::vector<uint8_t>;  // wire::Decoded::key_updates
using Alerts = std::vector<uint8_t>;

// `transmit_sequence`: the number of the next record to send.
inline Peer connect_with_new_keys(World& world, size_t cipher = kTls13, bool asynchronous = true,
                                  uint64_t transmit_sequence = 1) {
  const Peer peer = world.connect([&](Socket& socket, TlsScript& script) {
    socket.asynchronous_cipher = asynchronous;
    socket.takes_new_keys = true;
    script.cipher = cipher;
    script.transmit_sequence = transmit_sequence;
  });
  world.turns();
  REQUIRE(world.state(peer) == conn::State::ReadHead);
  return peer;
}

}  // namespace spliced::fakes
