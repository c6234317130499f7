// SPDX-License-Identifier: Apache-2.0
// See listeners.hpp.
#include "engine/listeners.hpp"

#include <fcntl.h>

#include <utility>

#include "base/assert.hpp"

namespace spliced::engine {

using Lock = std::lock_guard<std::mutex>;

bool Listeners::open(const std::vector<os::ListenAddress>& wanted, std::string& error,
                     int& system_error) {
  for (const os::ListenAddress& address : wanted) {
    Entry entry;
    if (!os::open_listener(address, entry.listener, error, &system_error)) return false;
    entry.duplicate = os::Fd(::fcntl(entry.listener.fd.get(), F_DUPFD_CLOEXEC, 0));
    entries_.push_back(std::move(entry));
  }
  return true;
}

std::vector<os::ListenAddress> Listeners::bound() const {
  std::vector<os::ListenAddress> all;
  for (const Entry& entry : entries_) all.push_back(entry.listener.bound);
  return all;
}

void Listeners::use() {
  Lock lock(mutex_);
  for (Entry& entry : entries_) entry.users++;
}

// Retires the duplicate as well, so that a port that is no longer served refuses connections.
void Listeners::leave(size_t index) {
  Lock lock(mutex_);
  Entry& entry = entries_[index];
  SPLICED_ASSERT(entry.users > 0);
  if (--entry.users > 0) return;
  entry.listener.fd.reset();
  entry.duplicate.reset();
}

void Listeners::retire() {
  Lock lock(mutex_);
  for (Entry& entry : entries_)
    if (entry.duplicate) os::retire_listener(entry.duplicate.release());
}

}  // namespace spliced::engine
