// SPDX-License-Identifier: Apache-2.0
// See file_worker.hpp.
#include "ring/file_worker.hpp"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "files/open_beneath.hpp"
#include "os/thread.hpp"

namespace spliced::ring {
namespace {

Completion perform(const FileJob& job) {
  int result;
  if (job.token.kind == Kind::OpenFile) {
    result = files::open_beneath(job.fd, job.path, files::Lookup::MayBlock);
  } else if (job.token.kind == Kind::DrainPipe) {
    loff_t at = static_cast<loff_t>(job.offset);
    const ssize_t moved = ::splice(job.pipe, nullptr, job.fd, &at, job.bytes, SPLICE_F_NONBLOCK);
    result = moved < 0 ? -errno : static_cast<int>(moved);
  } else {
    loff_t at = static_cast<loff_t>(job.offset);
    const ssize_t moved = ::splice(job.fd, &at, job.pipe, nullptr, job.bytes, SPLICE_F_NONBLOCK);
    result = moved < 0 ? -errno : static_cast<int>(moved);
  }
  return {job.token, result, false};
}

}  // namespace

bool FileWorker::start(int done_eventfd) {
  done_eventfd_ = done_eventfd;
  return os::start_thread(thread_, "spliced-files", [this] { run(); });
}

FileWorker::~FileWorker() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void FileWorker::submit(const FileJob& job) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    jobs_.push_back(job);
  }
  changed_.notify_one();
}

void FileWorker::take_completions(std::vector<Completion>& out) {
  std::lock_guard<std::mutex> lock(mutex_);
  out.insert(out.end(), done_.begin(), done_.end());
  done_.clear();
}

void FileWorker::run() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    std::vector<FileJob> batch;
    batch.swap(jobs_);
    for (const FileJob& job : batch) {
      lock.unlock();
      const Completion completion = perform(job);
      lock.lock();
      done_.push_back(completion);
      const uint64_t one = 1;
      [[maybe_unused]] ssize_t ignored = ::write(done_eventfd_, &one, sizeof one);
      if (stopping_) return;
    }
  }
}

}  // namespace spliced::ring
