// SPDX-License-Identifier: Apache-2.0
// How many of the service's places are taken, over all engines: connections, handshakes, and how
// many of both each address has. The limits hold for the service, so that every engine asks here
// before it gives a client a slot, and reports when the client has gone. This also chooses the
// engine for the next client: the one with the fewest clients, so that all have about the same
// number.
//
// Each engine has its own account (its Share), so that an engine that hangs in the kernel can be
// left out: its successor starts with all places. There is one lock, held only for additions, and
// taken four times in the life of a connection but never for a request.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/limits.hpp"
#include "conn/address_table.hpp"
#include "conn/state.hpp"
#include "os/closer.hpp"

namespace spliced::conn {

struct PlaceLimits {
  uint32_t connections_max = limits::kConnectionsMaxDefault;
  uint32_t connections_per_address_max = limits::kConnectionsPerAddressMaxDefault;
  uint32_t handshakes_max = limits::kHandshakesMaxDefault;
};

class Occupancy {
 public:
  // One engine's part. Its numbers are guarded by the Occupancy's lock, but for the atomics.
  class Share {
   public:
    // Since when the engine works without having waited, in base::now_ms(); 0: it waits.
    std::atomic<uint64_t> busy_since_ms{0};
    // Connections that wait for their peer, and so can be closed to make room.
    std::atomic<uint32_t> waiting{0};
    // The port of this host from which this engine's canary comes; 0: none is expected.
    std::atomic<uint16_t> canary_port{0};

   private:
    friend class Occupancy;
    const os::Closer* closer_ = nullptr;
    uint32_t sockets_ = 0;  // given to the engine and not closed: its load
    uint32_t clients_ = 0;  // that have a place, with those that are being closed to make room
    uint32_t leaving_ = 0;  // those that are being closed to make room
    uint32_t handshakes_ = 0;
    AddressTable addresses_;  // without those that are being closed to make room
  };

  Occupancy(const PlaceLimits& limits, size_t engines) : limits_(limits), shares_(engines) {}
  Occupancy(const Occupancy&) = delete;
  Occupancy& operator=(const Occupancy&) = delete;

  // From now on this is the part of the engine with this number; one that was it before counts no
  // more. `closer` lives as long as the part counts: so this comes before the former engine may
  // end.
  void take_part(size_t engine, std::shared_ptr<Share> share, const os::Closer& closer);

  struct Assigned {
    size_t engine;
    std::shared_ptr<Share> account;  // has the socket from now on
  };
  // The engine for a socket that `accepting` has just accepted: the one with the fewest. One that
  // works on something that takes its time is passed over as long as the others do not get many
  // more, and one that seems to hang always.
  Assigned assign(size_t accepting, uint64_t now_ms);
  // An engine takes a socket: from the account that has it (null: none has) to its own. An engine
  // may be replaced while a socket is on its way to it, so the account goes with the socket.
  void take_over(Share* from, Share& to);
  // The engine whose canary comes from a port of this host; `is_from(port)` looks at the socket.
  template <class IsFrom>
  std::optional<size_t> canary_of(IsFrom is_from);
  // The next engine that might make room for this client where `engine` cannot, rather one that
  // does not work on something that takes its time; none: nullopt.
  std::optional<size_t> next_with_room(size_t engine, const os::ClientKey& client, uint64_t now_ms);

  // A place for a client. Nothing if it has one now; else which table is full.
  std::optional<Shed> enter(Share& share, const os::ClientKey& client);
  // The place that enter() gave was not used.
  void give_back(Share& share, const os::ClientKey& client);
  void end_handshake(Share& share, const os::ClientKey& client);
  // It makes room for another: it counts as gone, as long as there are not too many of them. False:
  // there are, and nothing is changed. A handshake that is under way is over by that.
  bool begin_leaving(Share& share, const os::ClientKey& client, bool in_handshake);
  // A client's place is free, and its socket with the closer. `left`: it had begun to leave before.
  void leave(Share& share, const os::ClientKey& client, bool left);
  // A socket that had no place (the canary's, or a refused one) is with the closer, or closed.
  void socket_gone(Share& share);
  // How much of all an address has.
  AddressTable::Count count(const os::ClientKey& client) const;
  // Addresses in the tables: one that has connections of two engines counts twice.
  size_t addresses() const;
  uint32_t leaving() const;

 private:
  bool is_full() const;
  uint32_t leaving_locked() const;
  AddressTable::Count count_locked(const os::ClientKey& client) const;

  const PlaceLimits limits_;
  mutable std::mutex mutex_;
  // By the engine's number; null before it has begun.
  std::vector<std::shared_ptr<Share>> shares_;
};

template <class IsFrom>
std::optional<size_t> Occupancy::canary_of(IsFrom is_from) {
  uint16_t ports[limits::kEnginesMax] = {};
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (size_t i = 0; i < shares_.size(); i++)
      if (shares_[i]) ports[i] = shares_[i]->canary_port.load(std::memory_order_relaxed);
  }
  for (size_t i = 0; i < limits::kEnginesMax; i++)
    if (ports[i] != 0 && is_from(ports[i])) return i;
  return std::nullopt;
}

}  // namespace spliced::conn
