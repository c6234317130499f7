// SPDX-License-Identifier: Apache-2.0
// See stable_bytes.hpp.
#include "os/stable_bytes.hpp"

#include <sys/mman.h>

#include "base/assert.hpp"

namespace spliced::os {

StableBytes::~StableBytes() {
  if (page_ != nullptr) ::munmap(page_, kPageBytes);
}

char* StableBytes::take(size_t bytes) {
  SPLICED_ASSERT(bytes <= kPageBytes);
  if (page_ == nullptr || bytes > kPageBytes - used_) {
    if (page_ != nullptr) ::munmap(page_, kPageBytes);
    void* page =
        ::mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page_ = page == MAP_FAILED ? nullptr : static_cast<char*>(page);
    used_ = 0;
    if (page_ == nullptr) return nullptr;
  }
  char* const at = page_ + used_;
  used_ += bytes;
  return at;
}

}  // namespace spliced::os
