// SPDX-License-Identifier: Apache-2.0
// See framed_pages.hpp.
#include "os/framed_pages.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/assert.hpp"
#include "base/limits.hpp"

namespace spliced::os {
namespace {

uint64_t page_start(uint64_t offset) {
  static const uint64_t page_bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return offset - offset % page_bytes;
}

// Neighbouring pieces of one file have one.
struct Mapping {
  int file = -1;
  uint64_t begin = 0, end = 0;
  char* memory = nullptr;
  size_t bytes() const { return static_cast<size_t>(end - begin); }
};

class Mappings {
 public:
  ~Mappings() {
    for (size_t i = 0; i < count_; i++)
      if (all_[i].memory != nullptr) ::munmap(all_[i].memory, all_[i].bytes());
  }
  // Which one the piece is in.
  size_t add(const FramedPages& piece) {
    const uint64_t end = piece.offset + piece.bytes;
    for (size_t i = 0; i < count_; i++) {
      if (all_[i].file != piece.file || all_[i].end != piece.offset) continue;
      all_[i].end = end;
      return i;
    }
    all_[count_] = {piece.file, page_start(piece.offset), end, nullptr};
    return count_++;
  }
  bool map() {
    for (size_t i = 0; i < count_; i++) {
      Mapping& m = all_[i];
      void* memory =
          ::mmap(nullptr, m.bytes(), PROT_READ, MAP_PRIVATE, m.file, static_cast<off_t>(m.begin));
      if (memory == MAP_FAILED) return false;
      m.memory = static_cast<char*>(memory);
    }
    return true;
  }
  void* at(size_t mapping, uint64_t offset) const {
    return all_[mapping].memory + (offset - all_[mapping].begin);
  }

 private:
  Mapping all_[limits::kFramesPerCall];
  size_t count_ = 0;
};

}  // namespace

Moved framed_pages_to_pipe(int pipe_write_end, const FramedPages* pieces, size_t count) {
  SPLICED_ASSERT(count > 0 && count <= limits::kFramesPerCall);
  Mappings mappings;
  size_t of[limits::kFramesPerCall];
  for (size_t i = 0; i < count; i++) of[i] = mappings.add(pieces[i]);
  if (!mappings.map()) return {Io::Failed, 0, errno};
  iovec parts[2 * limits::kFramesPerCall];
  for (size_t i = 0; i < count; i++) {
    parts[2 * i] = {const_cast<char*>(pieces[i].head), pieces[i].head_bytes};
    parts[2 * i + 1] = {mappings.at(of[i], pieces[i].offset), pieces[i].bytes};
  }
  const ssize_t moved = ::vmsplice(pipe_write_end, parts, 2 * count, SPLICE_F_NONBLOCK);
  if (moved > 0) return {Io::Done, static_cast<size_t>(moved), 0};
  if (moved == 0 || errno == EAGAIN) return {Io::WouldBlock, 0, 0};
  return {Io::Failed, 0, errno};
}

}  // namespace spliced::os
