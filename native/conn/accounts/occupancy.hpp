// SPDX-License-Identifier: Apache-2.0
// How many of the service's places are taken, over all engines: connections, handshakes, and how
// many of both each address has. The limits hold for the whole service, so every engine asks here
// before it gives a client a slot, and reports when the client has gone. This also chooses the
// engine for the next client: the one with the fewest clients, so that all have about the same
// number.
//
// Each engine has its own account (its Share), so that an engine that hangs in the kernel can be
// left out: its successor starts with all places. There is one lock. It is held only for additions,
// and taken four times in the life of a connection but never for a request.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/limits.hpp"
#include "conn/accounts/address_table.hpp"
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
  // The account of one engine. The Occupancy's lock guards its numbers, except the atomics.
  class Share {
   public:
    // When the engine last began to work without waiting, in base::now_ms(); 0: it waits now.
    std::atomic<uint64_t> busy_since_ms{0};
    // Connections that wait for their peer, and may be closed to make room.
    std::atomic<uint32_t> waiting{0};
    // The port of this host from which this engine's canary will come; 0: none is expected.
    std::atomic<uint16_t> canary_port{0};

   private:
    friend class Occupancy;
    const os::Closer* closer_ = nullptr;
    uint32_t sockets_ = 0;  // given to the engine and not closed yet: its load
    uint32_t clients_ = 0;  // with a place, or being closed to make room
    uint32_t leaving_ = 0;  // being closed to make room
    uint32_t handshakes_ = 0;
    AddressTable addresses_;  // without those that are being closed to make room
  };

  Occupancy(const PlaceLimits& limits, size_t engines) : limits_(limits), shares_(engines) {}
  Occupancy(const Occupancy&) = delete;
  Occupancy& operator=(const Occupancy&) = delete;

  // Makes this the account of the engine with this number; a former one of that number does not
  // count any more. `closer` must live as long as the account counts, so this is called before the
  // former engine may end.
  void take_part(size_t engine, std::shared_ptr<Share> share, const os::Closer& closer);

  struct Assigned {
    size_t engine;
    std::shared_ptr<Share> account;  // has the socket from now on
  };
  // Chooses the engine for a socket that `accepting` has just accepted: the one with the fewest. An
  // engine that is busy is passed over while the others do not get many more; one that seems to
  // hang is always passed over.
  Assigned assign(size_t accepting, uint64_t now_ms);
  // An engine takes a socket over: from the account that has it (null: none has) to its own. An
  // engine may be replaced while a socket is on its way to it, so the account travels with the
  // socket.
  void take_over(Share* from, Share& to);
  // The engine whose canary comes from a port of this host; `is_from(port)` examines the socket.
  template <class IsFrom>
  std::optional<size_t> canary_of(IsFrom is_from);
  // The next engine that might make room for this client after `engine` could not; preferably one
  // that is not busy. nullopt: there is none.
  std::optional<size_t> next_with_room(size_t engine, const os::ClientKey& client, uint64_t now_ms);

  // Asks for a place for a client. Empty: it has one now. Otherwise the table that is full.
  std::optional<Shed> enter(Share& share, const os::ClientKey& client);
  // Returns a place that enter() gave and that was not used.
  void give_back(Share& share, const os::ClientKey& client);
  void end_handshake(Share& share, const os::ClientKey& client);
  // A client makes room for another: it counts as gone, unless too many do so. False: too many, and
  // nothing has changed. A handshake under way counts as ended.
  bool begin_leaving(Share& share, const os::ClientKey& client, bool in_handshake);
  // A client's place is free, and the closer has its socket. `left`: begin_leaving() came before.
  void leave(Share& share, const os::ClientKey& client, bool left);
  // A socket without a place (the canary's, or a refused one) is with the closer, or closed.
  void socket_gone(Share& share);
  // The numbers of one address, over all engines.
  AddressTable::Count count(const os::ClientKey& client) const;
  // Addresses in the tables; one that has connections of two engines counts twice.
  size_t addresses() const;
  uint32_t leaving() const;

 private:
  bool is_full() const;
  uint32_t leaving_locked() const;
  AddressTable::Count count_locked(const os::ClientKey& client) const;

  const PlaceLimits limits_;
  mutable std::mutex mutex_;
  // By number of the engine; null before it has begun.
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
