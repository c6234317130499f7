// SPDX-License-Identifier: Apache-2.0
// Opens a path that cannot leave the root: openat2(RESOLVE_BENEATH), or component by component
// without following symbolic links where a policy forbids openat2. Used by the file cache on the
// engine thread (resident directory entries only) and by the ring's workers (may read the disk).
#pragma once
#include <fcntl.h>
#include <linux/openat2.h>

#include <cstdint>

namespace spliced::files {

// O_NONBLOCK: opening a FIFO must not wait for its writer. What is not a regular file is refused
// after fstat. O_LARGEFILE: a system call on a 32-bit kernel needs it for 2 GiB and more.
// RESOLVE_NO_MAGICLINKS: RESOLVE_BENEATH refuses them too, but openat2(2) keeps the right to change
// that.
inline constexpr open_how kOpenBeneath{O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_LARGEFILE,
                                       0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};

enum class Lookup : uint8_t { Resident, MayBlock };

// A descriptor, or a negative errno. Lookup::Resident answers -EAGAIN where the disk would have to
// be read (RESOLVE_CACHED, Linux 5.12), or where the kernel cannot tell.
int open_beneath(int root, const char* path, Lookup lookup);

}  // namespace spliced::files
