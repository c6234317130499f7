// SPDX-License-Identifier: Apache-2.0
// Answers of checks that let a request pass, for a few seconds (`authorize_remember_ms` of a
// route): whoever asks exactly the same again is not asked about. Of one OpenSite, so a reload
// forgets all; for its engine's thread alone. Used by check.cpp.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace spliced::conn {

class RememberedChecks {
 public:
  // What the answer has added to the request; null: it is not known, or no longer.
  const std::string* find(const std::string& key, uint64_t now_ms) const;
  // In the place of the oldest, where there are limits::kRememberedChecksMax.
  void keep(std::string key, std::string added, uint64_t until_ms);
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string key, added;
    uint64_t until_ms;
  };
  std::vector<Entry> entries_;
  size_t next_ = 0;  // once they are full
};

}  // namespace spliced::conn
