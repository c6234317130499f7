// SPDX-License-Identifier: Apache-2.0
// See host.hpp.
#include "os/host.hpp"

#include <sys/random.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/assert.hpp"

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

void random_bytes(void* out, size_t bytes) {
  SPLICED_ASSERT(::getrandom(out, bytes, 0) == static_cast<ssize_t>(bytes));
}

size_t page_bytes() {
  return static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace spliced::os
