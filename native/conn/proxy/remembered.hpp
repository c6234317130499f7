// SPDX-License-Identifier: Apache-2.0
// Remembers for a few seconds the checks that let a request pass (`authorize_remember_ms` of a
// route): an identical question is not asked again. Belongs to one OpenSite, so a reload forgets
// everything. For the engine's thread alone. Used by check.cpp.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace spliced::conn {

class RememberedChecks {
 public:
  // The fields that the answer adds to the request; null: not remembered, or expired.
  const std::string* find(const std::string& key, uint64_t now_ms) const;
  // Replaces the oldest if there are limits::kRememberedChecksMax.
  void keep(std::string key, std::string added, uint64_t until_ms);
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string key, added;
    uint64_t until_ms;
  };
  std::vector<Entry> entries_;
  size_t next_ = 0;  // the one to replace when full
};

}  // namespace spliced::conn
