// SPDX-License-Identifier: Apache-2.0
// Counts connections and handshakes for each client address (os::ClientKey). Pure; bounded by the
// number of connections.
#pragma once
#include <cstddef>
#include <cstdint>
#include <random>
#include <unordered_map>

#include "base/mix.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {

// Seeded, so that a client cannot choose addresses that collide.
struct ClientKeyHash {
  uint64_t seed = std::random_device{}() | static_cast<uint64_t>(std::random_device{}()) << 32;
  size_t operator()(const os::ClientKey& key) const {
    return static_cast<size_t>(base::mix(base::mix(seed, key.high), key.low));
  }
};

class AddressTable {
 public:
  struct Count {
    uint32_t connections = 0, handshakes = 0;
  };

  Count count(const os::ClientKey& key) const {
    const auto found = counts_.find(key);
    return found == counts_.end() ? Count{} : found->second;
  }
  // Adds a connection, which begins with its handshake.
  void add(const os::ClientKey& key) {
    Count& count = counts_[key];
    count.connections++;
    count.handshakes++;
  }
  void end_handshake(const os::ClientKey& key) {
    const auto found = counts_.find(key);
    if (found != counts_.end()) found->second.handshakes--;
  }
  void remove(const os::ClientKey& key) {
    const auto found = counts_.find(key);
    if (found != counts_.end() && --found->second.connections == 0) counts_.erase(found);
  }
  size_t size() const { return counts_.size(); }

 private:
  std::unordered_map<os::ClientKey, Count, ClientKeyHash> counts_;
};

}  // namespace spliced::conn
