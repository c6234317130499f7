// SPDX-License-Identifier: Apache-2.0
// See host.hpp.
#include "os/host.hpp"

#include <sys/random.h>
#include <sys/timex.h>
#include <unistd.h>

namespace spliced::os {

bool random_ready() {
  char byte = 0;
  return ::getrandom(&byte, sizeof byte, GRND_NONBLOCK) == sizeof byte;
}

bool clock_synchronised() {
  timex clock{};
  const int state = ::adjtimex(&clock);
  return state >= 0 && state != TIME_ERROR;
}

size_t page_bytes() {
  return static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace spliced::os
