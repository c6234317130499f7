// SPDX-License-Identifier: Apache-2.0
// Memory that can be spliced.
#pragma once
#include <cstddef>

namespace spliced::os {

// What is written here stays as it is for as long as the kernel refers to it, also after this is
// gone: a page that is full is left to the kernel, and a new one taken.
class StableBytes {
 public:
  StableBytes() = default;
  ~StableBytes();
  StableBytes(const StableBytes&) = delete;
  StableBytes& operator=(const StableBytes&) = delete;
  // So many in a row, at most kPageBytes, to be written before the kernel is told of them. What was
  // taken before may be gone from the process, but for the kernel. Null: there is no memory.
  char* take(size_t bytes);

 private:
  static constexpr size_t kPageBytes = 4096;
  char* page_ = nullptr;
  size_t used_ = 0;
};

}  // namespace spliced::os
