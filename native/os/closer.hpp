// SPDX-License-Identifier: Apache-2.0
// Closes connection sockets on a thread of its own, which owns no ring (so no io-wq worker can set
// TIF_NOTIFY_SIGNAL on it) and has all signals blocked. close() of a kernel-TLS socket waits for
// the cipher (net/tls/tls_sw.c: tls_sw_release_resources_tx); the engine thread must not wait with
// it.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

#include "os/thread.hpp"

namespace spliced::os {

class Closer {
 public:
  [[nodiscard]] bool start();  // false: the process may have no more threads
  // Closes what is queued, then joins the thread. False: a close() hangs, so the closer must not be
  // destroyed.
  [[nodiscard]] bool stop(uint32_t wait_ms);
  void close(int fd);          // takes ownership; any thread
  // Descriptors that were handed over and are not closed yet. The engine counts them as
  // connections, and its limit of connections bounds this queue.
  uint32_t backlog() const { return backlog_.load(std::memory_order_relaxed); }

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int> queue_;
  std::atomic<uint32_t> backlog_{0};
  bool stopping_ = false;
  Thread thread_;
};

}  // namespace spliced::os
