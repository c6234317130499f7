// SPDX-License-Identifier: Apache-2.0
// Milliseconds of CLOCK_BOOTTIME: it never jumps when a device without a clock learns the date, and
// it counts the time spent suspended. Wall time is read only for HTTP dates.
#pragma once
#include <time.h>

#include <cstdint>

namespace spliced::base {

inline uint64_t now_ms() {
  timespec t{};
  ::clock_gettime(CLOCK_BOOTTIME, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1000 + static_cast<uint64_t>(t.tv_nsec) / 1'000'000;
}

inline int64_t wall_s() {
  timespec t{};
  ::clock_gettime(CLOCK_REALTIME, &t);
  return static_cast<int64_t>(t.tv_sec);
}

}  // namespace spliced::base
