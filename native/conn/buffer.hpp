// SPDX-License-Identifier: Apache-2.0
// Buffers of one size. A connection takes one when it has something to hold and returns it when it
// is idle, so that an idle connection costs only its slot.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

#include "base/assert.hpp"
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

// Bytes [begin, end) of a buffer: one of the pool, or, while a head needs it, a larger one of its
// own, which release() frees.
struct Span {
  BufferPool::Memory memory;
  size_t begin = 0, end = 0;
  size_t capacity = BufferPool::kBytes;

  bool empty() const { return begin == end; }
  size_t size() const { return end - begin; }
  size_t room() const { return capacity - end; }
  bool is_large() const { return capacity > BufferPool::kBytes; }
  char* data() { return memory.get() + begin; }
  const char* data() const { return memory.get() + begin; }
  char* tail() { return memory.get() + end; }
  void hold(BufferPool& pool) {
    if (!memory) memory = pool.take();
  }
  // Makes room for so many bytes behind the end; together with the content at most
  // limits::kLargeBufferBytesMax.
  void hold(BufferPool& pool, size_t bytes) {
    hold(pool);
    if (room() >= bytes) return;
    const size_t wanted = size() + bytes;
    SPLICED_ASSERT(wanted <= limits::kLargeBufferBytesMax);
    if (wanted > capacity)
      return grow(pool, std::max(wanted, std::min(2 * capacity, limits::kLargeBufferBytesMax)));
    std::memmove(memory.get(), data(), size());
    end = size();
    begin = 0;
  }
  void release(BufferPool& pool) {
    if (!is_large()) pool.give(std::move(memory));
    memory.reset();
    begin = end = 0;
    capacity = BufferPool::kBytes;
  }

 private:
  void grow(BufferPool& pool, size_t bytes) {
    BufferPool::Memory larger(new char[bytes]);
    std::memcpy(larger.get(), data(), size());
    if (!is_large()) pool.give(std::move(memory));
    memory = std::move(larger);
    end = size();
    begin = 0;
    capacity = bytes;
  }
};

}  // namespace spliced::conn
