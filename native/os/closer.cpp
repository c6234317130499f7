// SPDX-License-Identifier: Apache-2.0
// See closer.hpp.
#include "os/closer.hpp"

#include "os/fd.hpp"

namespace spliced::os {

bool Closer::start() {
  stopping_ = false;
  return thread_.start("spliced-close", [this] { run(); });
}

bool Closer::stop(uint32_t wait_ms) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  return thread_.join_within(wait_ms);
}

void Closer::close(int fd) {
  backlog_.fetch_add(1, std::memory_order_relaxed);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    queue_.push_back(fd);
  }
  changed_.notify_one();
}

void Closer::run() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    std::vector<int> batch;
    batch.swap(queue_);
    lock.unlock();
    for (int fd : batch) {
      close_fd(fd);
      backlog_.fetch_sub(1, std::memory_order_relaxed);
    }
    lock.lock();
  }
}

}  // namespace spliced::os
