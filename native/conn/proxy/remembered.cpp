// SPDX-License-Identifier: Apache-2.0
// See remembered.hpp.
#include "conn/proxy/remembered.hpp"

#include <utility>

#include "base/limits.hpp"

namespace spliced::conn {

const std::string* RememberedChecks::find(const std::string& key, uint64_t now_ms) const {
  for (const Entry& entry : entries_)
    if (entry.until_ms > now_ms && entry.key == key) return &entry.added;
  return nullptr;
}

void RememberedChecks::keep(std::string key, std::string added, uint64_t until_ms) {
  Entry entry{std::move(key), std::move(added), until_ms};
  if (entries_.size() < limits::kRememberedChecksMax) {
    entries_.push_back(std::move(entry));
    return;
  }
  entries_[next_] = std::move(entry);
  next_ = (next_ + 1) % limits::kRememberedChecksMax;
}

}  // namespace spliced::conn
