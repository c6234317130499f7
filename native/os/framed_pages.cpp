// SPDX-License-Identifier: Apache-2.0
// See framed_pages.hpp.
#include "os/framed_pages.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>

#include "base/assert.hpp"
#include "base/limits.hpp"
#include "os/mapped_windows.hpp"

namespace spliced::os {

Moved framed_pages_to_pipe(int pipe_write_end, MappedWindows& windows, const FramedPages* pieces,
                           size_t count) {
  SPLICED_ASSERT(count > 0 && count <= limits::kFramesPerCall);
  iovec parts[2 * limits::kFramesPerCall];
  for (size_t i = 0; i < count; i++) {
    const FramedPages& piece = pieces[i];
    char* const pages = windows.at(piece.file, piece.file_number, piece.offset, piece.bytes);
    if (pages == nullptr) return {Io::Failed, 0, errno};
    parts[2 * i] = {const_cast<char*>(piece.head), piece.head_bytes};
    parts[2 * i + 1] = {pages, piece.bytes};
  }
  const ssize_t moved = ::vmsplice(pipe_write_end, parts, 2 * count, SPLICE_F_NONBLOCK);
  if (moved > 0) return {Io::Done, static_cast<size_t>(moved), 0};
  if (moved == 0 || errno == EAGAIN) return {Io::WouldBlock, 0, 0};
  return {Io::Failed, 0, errno};
}

}  // namespace spliced::os
