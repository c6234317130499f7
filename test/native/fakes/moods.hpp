// SPDX-License-Identifier: Apache-2.0
// What applications, rings and clocks may do at any time, for scenarios whose order a seed decides.
#pragma once
#include <algorithm>
#include <string>

#include "fakes/fake_kernel.hpp"
#include "fakes/random.hpp"
#include "fakes/world.hpp"

namespace spliced::fakes {

// One of the last connections to an application acts; `speech` makes its bytes.
template <class Speech>
void let_application_move(Random& random, Speech speech) {
  const auto& sockets = kernel().backend.sockets;
  if (sockets.empty()) return;
  const size_t last = std::min<size_t>(sockets.size(), 5);
  Socket& socket = kernel().at(sockets[sockets.size() - 1 - random.below(last)]);
  if (socket.closed()) return;
  switch (random.below(8)) {
    case 0:
      if (random.one_in(3)) socket.peer_resets();
      break;
    case 1:
      if (random.one_in(3)) socket.peer_half_closes();
      break;
    case 2:
    case 3:
      socket.peer_takes(1 + random.below(100'000));
      break;
    default:
      socket.peer_sends(speech());
  }
}

// The ring completes out of order, time passes, and the engine runs a turn.
inline void let_turn_pass(Random& random, World& world) {
  if (random.one_in(2) && world.ring->queued() > 1)
    world.ring->promote_in_queue(random.below(world.ring->queued()));
  if (random.one_in(3)) world.ring->release_cancels();
  if (random.one_in(30)) world.advance(random.below(2000));
  world.services->now_ms += random.below(20);
  world.turn();
}

}  // namespace spliced::fakes
