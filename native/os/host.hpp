// SPDX-License-Identifier: Apache-2.0
// Facts about the machine that only system calls give, for `spliced doctor`. The data path uses
// random_bytes alone.
#pragma once
#include <cstddef>

namespace spliced::os {

// Whether the kernel's random generator is seeded. Before that, generating a key blocks.
bool random_ready();

// Whether something (NTP, PTP) disciplines the clock: adjtimex(2) does not answer TIME_ERROR.
bool clock_synchronised();

size_t page_bytes();

// Fills `out` with at most 256 random bytes. getrandom(2) returns that many at once and whole when
// the generator is seeded; it is seeded, because a TLS handshake came first.
void random_bytes(void* out, size_t bytes);

}  // namespace spliced::os
