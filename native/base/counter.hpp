// SPDX-License-Identifier: Apache-2.0
// A figure that one thread writes and any thread may read. The engine thread is the only writer, so
// a plain load and store are enough: no locked instruction on the data path.
#pragma once
#include <atomic>
#include <cstdint>

namespace spliced::base {

class Counter {
 public:
  void add(uint64_t n = 1) { set(get() + n); }
  void sub(uint64_t n = 1) { set(get() - n); }
  void set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  void raise_to(uint64_t value) {
    if (value > get()) set(value);
  }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace spliced::base
