// SPDX-License-Identifier: Apache-2.0
// Threads of the data plane start with every signal blocked: signals are the Node thread's
// business, and one that lands in close() can make the kernel drop encrypted records
// (net/core/stream.c: sk_stream_wait_memory tests signal_pending).
#pragma once
#include <pthread.h>
#include <signal.h>

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

}  // namespace spliced::os
