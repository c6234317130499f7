// SPDX-License-Identifier: Apache-2.0
// See mapped_windows.hpp.
#include "os/mapped_windows.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace spliced::os {
namespace {

uint64_t page_start(uint64_t offset) {
  static const uint64_t page_bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return offset - offset % page_bytes;
}

}  // namespace

bool MappedWindows::Window::holds(uint64_t file, uint64_t offset, size_t bytes) const {
  return memory != nullptr && number == file && offset >= begin &&
         offset + bytes <= begin + limits::kWindowBytes;
}

void MappedWindows::Window::unmap() {
  if (memory != nullptr) ::munmap(std::exchange(memory, nullptr), limits::kWindowBytes);
}

MappedWindows::~MappedWindows() {
  for (Window& window : windows_) window.unmap();
}

void MappedWindows::begin_call(uint64_t now_ms) {
  call_++;
  now_ms_ = now_ms;
}

char* MappedWindows::at(int file, uint64_t number, uint64_t offset, size_t bytes) {
  SPLICED_ASSERT(bytes <= limits::kRecordPlaintextBytes);
  Window* found = &windows_[0];
  for (Window& window : windows_) {
    if (window.used_call < found->used_call) found = &window;
    if (!window.holds(number, offset, bytes)) continue;
    found = &window;
    break;
  }
  if (!found->holds(number, offset, bytes)) {
    SPLICED_ASSERT(found->used_call < call_);
    found->unmap();
    const uint64_t begin = page_start(offset);
    void* memory = ::mmap(nullptr, limits::kWindowBytes, PROT_READ, MAP_PRIVATE, file,
                          static_cast<off_t>(begin));
    if (memory == MAP_FAILED) return nullptr;
    *found = {static_cast<char*>(memory), number, begin};
    next_sweep_ms_ = std::min(next_sweep_ms_, now_ms_ + limits::kWindowKeptMs);
  }
  found->used_call = call_;
  found->used_ms = now_ms_;
  return found->memory + (offset - found->begin);
}

void MappedWindows::sweep(uint64_t now_ms) {
  if (now_ms < next_sweep_ms_) return;
  next_sweep_ms_ = UINT64_MAX;
  for (Window& window : windows_) {
    const uint64_t due_ms = window.used_ms + limits::kWindowKeptMs;
    if (due_ms <= now_ms)
      window.unmap();
    else if (window.memory != nullptr)
      next_sweep_ms_ = std::min(next_sweep_ms_, due_ms);
  }
}

}  // namespace spliced::os
