// SPDX-License-Identifier: Apache-2.0
// Windows of files in the process's address space, where vmsplice(2) finds their pages. To map and
// unmap for each call costs more than the call itself. The process never touches a page of them.
// For one thread.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/limits.hpp"

namespace spliced::os {

class MappedWindows {
 public:
  MappedWindows() = default;
  ~MappedWindows();
  MappedWindows(const MappedWindows&) = delete;
  MappedWindows& operator=(const MappedWindows&) = delete;

  // What at() gives from here on stays until the next call.
  void begin_call(uint64_t now_ms);
  // Where these bytes of the file are, at most limits::kRecordPlaintextBytes; at most
  // limits::kFramesPerCall times in a call. `number`: the file's own, never another's. Null, with
  // the errno of mmap(2): it cannot be had. The file may end before the bytes do.
  char* at(int file, uint64_t number, uint64_t offset, size_t bytes);

  // Unmaps what was not used for limits::kWindowKeptMs: until then a deleted file holds its blocks,
  // and a file system cannot be unmounted.
  void sweep(uint64_t now_ms);
  uint64_t next_sweep_ms() const { return next_sweep_ms_; }  // UINT64_MAX: nothing is mapped

 private:
  struct Window {
    char* memory = nullptr;  // limits::kWindowBytes; null: nothing is mapped
    uint64_t number = 0;
    uint64_t begin = 0;
    uint64_t used_call = 0;
    uint64_t used_ms = 0;
    bool holds(uint64_t file, uint64_t offset, size_t bytes) const;
    void unmap();
  };

  Window windows_[limits::kFramesPerCall];
  uint64_t call_ = 0;
  uint64_t now_ms_ = 0;
  uint64_t next_sweep_ms_ = UINT64_MAX;
};

}  // namespace spliced::os
