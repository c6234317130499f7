// SPDX-License-Identifier: Apache-2.0
// Processor time so far, for measurements; nothing in the data path asks.
#pragma once
#include <cstdint>

namespace spliced::os {

struct CpuTime {
  uint64_t thread_us = 0;   // of the calling thread
  uint64_t process_us = 0;  // of all threads of this process, the calling one's included
  // Of the whole machine, interrupts included, in ticks of 10 ms: a crypto engine's work is done by
  // threads and interrupts of the kernel that are nobody's. 0 where /proc/stat cannot be read.
  uint64_t system_us = 0;
};

CpuTime cpu_time();

}  // namespace spliced::os
