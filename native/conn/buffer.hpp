// SPDX-License-Identifier: Apache-2.0
// Buffers of one size, taken when a connection has something to hold and given back when it is
// idle: an idle connection costs its slot alone.
#pragma once
#include <cstddef>
#include <memory>
#include <vector>

#include "base/limits.hpp"

namespace spliced::conn {

class BufferPool {
 public:
  using Memory = std::unique_ptr<char[]>;
  static constexpr size_t kBytes = limits::kInputBytes;
  static_assert(limits::kInputBytes == limits::kOutputBytes);

  Memory take() {
    if (kept_.empty()) return Memory(new char[kBytes]);
    Memory memory = std::move(kept_.back());
    kept_.pop_back();
    return memory;
  }
  void give(Memory memory) {
    if (memory && kept_.size() < limits::kBuffersKeptMax) kept_.push_back(std::move(memory));
  }

 private:
  std::vector<Memory> kept_;
};

// Bytes [begin, end) of a pooled buffer.
struct Span {
  BufferPool::Memory memory;
  size_t begin = 0, end = 0;

  bool empty() const { return begin == end; }
  size_t size() const { return end - begin; }
  size_t room() const { return BufferPool::kBytes - end; }
  char* data() { return memory.get() + begin; }
  const char* data() const { return memory.get() + begin; }
  char* tail() { return memory.get() + end; }
  void hold(BufferPool& pool) {
    if (!memory) memory = pool.take();
  }
  void release(BufferPool& pool) {
    pool.give(std::move(memory));
    begin = end = 0;
  }
};

}  // namespace spliced::conn
