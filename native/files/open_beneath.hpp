// SPDX-License-Identifier: Apache-2.0
// Opens a path that cannot leave the root: with openat2(RESOLVE_BENEATH), or, where a policy
// forbids openat2, component by component without following symbolic links. The file cache uses it
// on the engine's thread (resident directory entries only), the ring's workers off it (may read the
// disk).
#pragma once
#include <fcntl.h>
#include <linux/openat2.h>

#include <cstdint>

namespace spliced::files {

// O_NONBLOCK: opening a FIFO must not wait for its writer; anything but a regular file is refused
// after fstat. O_LARGEFILE: on a 32-bit kernel the bare system call needs it for files of 2 GiB and
// more. RESOLVE_NO_MAGICLINKS: RESOLVE_BENEATH refuses them today, but openat2(2) reserves the
// right to change that.
inline constexpr open_how kOpenBeneath{O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_LARGEFILE,
                                       0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};

enum class Lookup : uint8_t { Resident, MayBlock };

// Returns a descriptor (the caller's) or a negative errno. Lookup::Resident returns -EAGAIN if the
// disk would have to be read (RESOLVE_CACHED, Linux 5.12) or the kernel cannot tell.
int open_beneath(int root, const char* path, Lookup lookup);

}  // namespace spliced::files
