// SPDX-License-Identifier: Apache-2.0
// Threads of the data plane, with every signal blocked from their start. Signals belong to the Node
// thread, and one that arrives during close() can make the kernel drop encrypted records
// (net/core/stream.c: sk_stream_wait_memory tests signal_pending).
#pragma once
#include <pthread.h>
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace spliced::os {

// `name` is at most 15 characters (TASK_COMM_LEN). False when the process may have no more threads
// (RLIMIT_NPROC, systemd's TasksMax).
template <class Function>
[[nodiscard]] bool start_thread(std::thread& out, const char* name, Function&& body) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  bool started = true;
  try {
    out = std::thread(std::forward<Function>(body));
    pthread_setname_np(out.native_handle(), name);
  } catch (const std::system_error&) {
    started = false;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

// A thread that may never end: a cipher that does not complete holds it in the kernel,
// uninterruptibly (net/tls/tls_sw.c: tls_encrypt_async_wait). So the wait for its end is bounded.
class Thread {
 public:
  // As start_thread().
  template <class Function>
  [[nodiscard]] bool start(const char* name, Function&& body);
  // True: it has ended, or was never started. False: it still runs, and so whatever it uses must
  // live on; the owner leaks it. To be called by one thread.
  [[nodiscard]] bool join_within(uint32_t wait_ms);
  // Its state as in proc_pid_stat(5): 'R', 'S', 'D' (waits in the kernel, uninterruptibly), ... 0:
  // it does not run. For any thread; opens a file in /proc.
  char state() const;

 private:
  struct Life {
    std::mutex mutex;
    std::condition_variable ended;
    bool has_ended = false;
    std::atomic<pid_t> id{0};
  };

  std::shared_ptr<Life> life_;
  std::thread thread_;
};

template <class Function>
bool Thread::start(const char* name, Function&& body) {
  life_ = std::make_shared<Life>();
  auto live = [life = life_, body = std::forward<Function>(body)]() mutable {
    life->id.store(::gettid(), std::memory_order_relaxed);
    body();
    std::lock_guard<std::mutex> lock(life->mutex);
    life->id.store(0, std::memory_order_relaxed);
    life->has_ended = true;
    life->ended.notify_all();
  };
  return start_thread(thread_, name, std::move(live));
}

}  // namespace spliced::os
