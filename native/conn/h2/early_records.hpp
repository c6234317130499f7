// SPDX-License-Identifier: Apache-2.0
// How much goes into a record that leaves from memory. A client reads nothing of a record before
// its last byte has come, and opens its windows no sooner. While TCP's congestion window is small
// (RFC 5681 3.1, 4.1) a full record takes a round trip more than its first bytes. So a client that
// is far gets short records at first, and again after a pause.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/limits.hpp"

namespace spliced::conn {

class EarlyRecords {
 public:
  EarlyRecords() = default;
  explicit EarlyRecords(uint32_t round_trip_us)
      : far_(round_trip_us >= limits::kFarRoundTripUs), left_(all()) {}

  // To be called before a record is filled.
  void begin(uint64_t now_ms) {
    if (now_ms - filled_ms_ >= limits::kEarlyAgainMs) left_ = all();
  }
  bool are_short() const { return left_ > 0; }
  // Nothing more is begun in a record of so many bytes.
  bool is_full(size_t bytes) const { return are_short() && bytes >= limits::kEarlyRecordBytes; }
  // It has so many, and leaves.
  void filled(uint64_t now_ms, size_t bytes) {
    left_ -= std::min<uint64_t>(left_, bytes);
    filled_ms_ = now_ms;
  }

 private:
  uint64_t all() const { return far_ ? limits::kEarlyBytes : 0; }

  bool far_ = false;
  uint64_t left_ = 0;  // bytes until records are full ones
  uint64_t filled_ms_ = 0;
};

}  // namespace spliced::conn
