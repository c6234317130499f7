// SPDX-License-Identifier: Apache-2.0
// See occupancy.hpp.
#include "conn/accounts/occupancy.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace spliced::conn {

using Lock = std::lock_guard<std::mutex>;

namespace {

// Whether the engine has not waited for longer than this.
bool is_busy(const Occupancy::Share& share, uint64_t now_ms,
             uint64_t longer_than_ms = limits::kBusyEngineMs) {
  const uint64_t since_ms = share.busy_since_ms.load(std::memory_order_relaxed);
  return since_ms != 0 && now_ms > since_ms + longer_than_ms;
}

// How many more clients an engine that is not busy may have before the busy one gets the next.
uint64_t with_tolerance(uint64_t fewest) {
  return fewest + fewest / 16;
}

}  // namespace

void Occupancy::take_part(size_t engine, std::shared_ptr<Share> share, const os::Closer& closer) {
  share->closer_ = &closer;
  Lock lock(mutex_);
  shares_.at(engine) = std::move(share);
}

Occupancy::Assigned Occupancy::assign(size_t accepting, uint64_t now_ms) {
  Lock lock(mutex_);
  struct Choice {
    size_t engine;
    uint32_t sockets;
    void consider(size_t other, uint32_t its_sockets) {
      if (its_sockets < sockets) *this = {other, its_sockets};
    }
  };
  // A difference of one is no reason to hand a client over.
  const uint32_t own = shares_[accepting]->sockets_;
  Choice at_once{accepting, own > 0 ? own - 1 : 0}, any = at_once;
  for (size_t i = 0; i < shares_.size(); i++) {
    if (!shares_[i] || i == accepting) continue;
    const Share& share = *shares_[i];
    if (!is_busy(share, now_ms)) at_once.consider(i, share.sockets_);
    if (!is_busy(share, now_ms, limits::kHangingEngineMs)) any.consider(i, share.sockets_);
  }
  const bool is_even = at_once.sockets <= with_tolerance(any.sockets);
  const size_t best = is_even ? at_once.engine : any.engine;
  shares_[best]->sockets_++;
  return {best, shares_[best]};
}

void Occupancy::take_over(Share* from, Share& to) {
  if (from == &to) return;
  Lock lock(mutex_);
  if (from != nullptr) {
    SPLICED_ASSERT(from->sockets_ > 0);
    from->sockets_--;
  }
  to.sockets_++;
}

std::optional<size_t> Occupancy::next_with_room(size_t engine, const os::ClientKey& client,
                                                uint64_t now_ms) {
  Lock lock(mutex_);
  const bool is_of_address =
      count_locked(client).connections >= limits_.connections_per_address_max;
  std::optional<size_t> busy;
  for (size_t i = 1; i < shares_.size(); i++) {
    const size_t next = (engine + i) % shares_.size();
    if (!shares_[next]) continue;
    const Share& share = *shares_[next];
    if (share.waiting.load(std::memory_order_relaxed) == 0) continue;
    if (is_of_address && share.addresses_.count(client).connections == 0) continue;
    if (!is_busy(share, now_ms)) return next;
    if (!busy) busy = next;
  }
  return busy;
}

// Connections that make room do not count, and neither do sockets that wait for the closer's
// thread, up to kLeavingMax in all. Beyond that the closer's backlog counts, because its
// descriptors are in use.
bool Occupancy::is_full() const {
  size_t clients = 0, leaving = 0, backlog = 0;
  for (const auto& share : shares_) {
    if (!share) continue;
    clients += share->clients_;
    leaving += share->leaving_;
    backlog += share->closer_->backlog();
  }
  const size_t left = std::min<size_t>(leaving + backlog, limits::kLeavingMax);
  return clients + backlog - left >= limits_.connections_max;
}

std::optional<Shed> Occupancy::enter(Share& share, const os::ClientKey& client) {
  Lock lock(mutex_);
  if (count_locked(client).connections >= limits_.connections_per_address_max) return Shed::Address;
  if (is_full()) return Shed::Slots;
  uint32_t handshakes = 0;
  for (const auto& other : shares_) handshakes += other ? other->handshakes_ : 0;
  if (handshakes >= limits_.handshakes_max) return Shed::Handshakes;
  share.clients_++;
  share.handshakes_++;
  share.addresses_.add(client);
  return std::nullopt;
}

void Occupancy::give_back(Share& share, const os::ClientKey& client) {
  Lock lock(mutex_);
  share.clients_--;
  share.handshakes_--;
  share.addresses_.end_handshake(client);
  share.addresses_.remove(client);
}

void Occupancy::end_handshake(Share& share, const os::ClientKey& client) {
  Lock lock(mutex_);
  share.handshakes_--;
  share.addresses_.end_handshake(client);
}

uint32_t Occupancy::leaving_locked() const {
  uint32_t all = 0;
  for (const auto& share : shares_) all += share ? share->leaving_ : 0;
  return all;
}

uint32_t Occupancy::leaving() const {
  Lock lock(mutex_);
  return leaving_locked();
}

bool Occupancy::begin_leaving(Share& share, const os::ClientKey& client, bool in_handshake) {
  Lock lock(mutex_);
  if (leaving_locked() >= limits::kLeavingMax) return false;
  share.leaving_++;
  if (in_handshake) {
    share.handshakes_--;
    share.addresses_.end_handshake(client);
  }
  share.addresses_.remove(client);
  return true;
}

void Occupancy::leave(Share& share, const os::ClientKey& client, bool left) {
  Lock lock(mutex_);
  SPLICED_ASSERT(share.clients_ > 0 && share.sockets_ > 0);
  share.clients_--;
  share.sockets_--;
  if (left)
    share.leaving_--;
  else
    share.addresses_.remove(client);
}

void Occupancy::socket_gone(Share& share) {
  Lock lock(mutex_);
  SPLICED_ASSERT(share.sockets_ > 0);
  share.sockets_--;
}

AddressTable::Count Occupancy::count(const os::ClientKey& client) const {
  Lock lock(mutex_);
  return count_locked(client);
}

size_t Occupancy::addresses() const {
  Lock lock(mutex_);
  size_t all = 0;
  for (const auto& share : shares_) all += share ? share->addresses_.size() : 0;
  return all;
}

AddressTable::Count Occupancy::count_locked(const os::ClientKey& client) const {
  AddressTable::Count all;
  for (const auto& share : shares_) {
    if (!share) continue;
    const AddressTable::Count some = share->addresses_.count(client);
    all.connections += some.connections;
    all.handshakes += some.handshakes;
  }
  return all;
}

}  // namespace spliced::conn
