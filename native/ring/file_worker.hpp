// SPDX-License-Identifier: Apache-2.0
// The helper thread of the epoll backend. It does the file operations that may block, one after
// another, and returns their completions through an eventfd: what io-wq does for io_uring.
#pragma once
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "os/fd.hpp"
#include "ring/ring.hpp"

namespace spliced::ring {

struct FileJob {
  Token token;
  int fd = -1;
  const char* path = nullptr;  // OpenFile
  uint64_t offset = 0;         // FillPipe, DrainPipe
  int pipe = -1;
  size_t bytes = 0;
};

class FileWorker {
 public:
  ~FileWorker();
  [[nodiscard]] bool start(int done_eventfd);
  // A connection has at most one job under way, so the number of slots bounds the queue.
  void submit(const FileJob& job);
  void take_completions(std::vector<Completion>& out);  // appends

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<FileJob> jobs_;
  std::vector<Completion> done_;
  bool stopping_ = false;
  int done_eventfd_ = -1;
  std::thread thread_;
};

}  // namespace spliced::ring
