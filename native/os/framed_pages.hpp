// SPDX-License-Identifier: Apache-2.0
// Pages of files, each piece behind a few bytes of memory, into one pipe, by one vmsplice(2). No
// byte passes through the process, and no page of a file that shrinks is touched by it.
#pragma once
#include <cstddef>
#include <cstdint>

#include "os/socket_io.hpp"

namespace spliced::os {

class MappedWindows;

struct FramedPages {
  const char* head = nullptr;  // of StableBytes
  size_t head_bytes = 0;
  int file = -1;
  uint64_t file_number = 0;  // see MappedWindows::at()
  uint64_t offset = 0;
  size_t bytes = 0;
};

// At most limits::kFramesPerCall pieces; a call of `windows` has begun. Done with fewer bytes: the
// pipe is full, or a file ends within a piece. May block on the disk: only for what is resident
// (files/residency.hpp). Failed with EFAULT where the first file ends, with an errno of mmap(2) or
// vmsplice(2) where this cannot be had.
Moved framed_pages_to_pipe(int pipe_write_end, MappedWindows& windows, const FramedPages* pieces,
                           size_t count);

}  // namespace spliced::os
