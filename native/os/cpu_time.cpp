// SPDX-License-Identifier: Apache-2.0
// See cpu_time.hpp.
#include "os/cpu_time.hpp"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

namespace spliced::os {
namespace {

uint64_t clock_us(clockid_t clock) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000 + static_cast<uint64_t>(t.tv_nsec) / 1000;
}

// The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal (proc(5)).
uint64_t busy_us() {
  FILE* file = ::fopen("/proc/stat", "re");
  if (file == nullptr) return 0;
  unsigned long long t[8] = {};
  const int read = ::fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1],
                            &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]);
  ::fclose(file);
  const long ticks_per_s = ::sysconf(_SC_CLK_TCK);
  if (read < 7 || ticks_per_s <= 0) return 0;
  const unsigned long long busy = t[0] + t[1] + t[2] + t[5] + t[6];
  return busy * 1'000'000 / static_cast<unsigned long long>(ticks_per_s);
}

}  // namespace

CpuTime cpu_time() {
  return {clock_us(CLOCK_THREAD_CPUTIME_ID), clock_us(CLOCK_PROCESS_CPUTIME_ID), busy_us()};
}

}  // namespace spliced::os
