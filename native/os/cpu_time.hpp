// SPDX-License-Identifier: Apache-2.0
// Processor time used so far, for measurements. The data path does not use it.
#pragma once
#include <cstdint>

namespace spliced::os {

struct CpuTime {
  uint64_t thread_us = 0;   // of the calling thread
  uint64_t process_us = 0;  // of all threads of this process, the calling one's included
  // Of the whole machine, interrupts included, in ticks of 10 ms: threads and interrupts of the
  // kernel do a crypto engine's work, and no process is charged for it. 0 if /proc/stat cannot be
  // read.
  uint64_t system_us = 0;
};

CpuTime cpu_time();

}  // namespace spliced::os
