// SPDX-License-Identifier: Apache-2.0
// See pipe_pool.hpp.
#include "os/pipe_pool.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "base/limits.hpp"

namespace spliced::os {

namespace {

Pipe open_default_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return {};
  return {Fd(ends[0]), Fd(ends[1])};
}

}  // namespace

Pipe open_pipe(size_t bytes) {
  Pipe pipe = open_default_pipe();
  if (pipe) (void)::fcntl(pipe.write_end.get(), F_SETPIPE_SZ, static_cast<int>(bytes));
  return pipe;
}

unsigned places(const Pipe& pipe) {
  const int bytes = ::fcntl(pipe.write_end.get(), F_GETPIPE_SZ);
  return bytes < 0 ? 0 : static_cast<unsigned>(bytes / ::sysconf(_SC_PAGESIZE));
}

Pipe PipePool::take() {
  if (kept_.empty()) return bytes_ == 0 ? open_default_pipe() : open_pipe(bytes_);
  Pipe pipe = std::move(kept_.back());
  kept_.pop_back();
  return pipe;
}

void PipePool::give(Pipe pipe, bool empty) {
  if (pipe && empty && kept_.size() < limits::kPipesKeptMax) kept_.push_back(std::move(pipe));
}

}  // namespace spliced::os
