// SPDX-License-Identifier: Apache-2.0
// What only a system call tells about the machine, for `spliced doctor`. Nothing in the data path
// asks.
#pragma once
#include <cstddef>

namespace spliced::os {

// Whether the kernel's random generator is seeded: until then a key generation blocks at boot.
bool random_ready();

// Whether something (NTP, PTP) keeps the clock: adjtimex(2) does not answer TIME_ERROR.
bool clock_synchronised();

size_t page_bytes();

// Fills `out` with random bytes. At most 256 bytes, which the kernel gives at once and whole
// (getrandom(2)) once its generator is seeded; it is, since a TLS handshake came first.
void random_bytes(void* out, size_t bytes);

}  // namespace spliced::os
