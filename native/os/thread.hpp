// SPDX-License-Identifier: Apache-2.0
// Threads of the data plane start with every signal blocked: signals are the Node thread's business,
// and one that lands in close() can make the kernel drop encrypted records
// (net/core/stream.c: sk_stream_wait_memory tests signal_pending).
#pragma once
#include <pthread.h>
#include <signal.h>

#include <thread>
#include <utility>

namespace spliced::os {

// `name` is at most 15 characters (TASK_COMM_LEN).
template <class Function>
std::thread start_thread(const char* name, Function&& body) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  std::thread thread(std::forward<Function>(body));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread.native_handle(), name);
  return thread;
}

}  // namespace spliced::os
