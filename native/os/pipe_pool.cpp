// SPDX-License-Identifier: Apache-2.0
// See pipe_pool.hpp.
#include "os/pipe_pool.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "base/limits.hpp"

namespace spliced::os {

Pipe PipePool::take() {
  if (!kept_.empty()) {
    Pipe pipe = std::move(kept_.back());
    kept_.pop_back();
    return pipe;
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return {};
  return {Fd(ends[0]), Fd(ends[1])};
}

void PipePool::give(Pipe pipe, bool empty) {
  if (pipe && empty && kept_.size() < limits::kPipesKeptMax) kept_.push_back(std::move(pipe));
}

}  // namespace spliced::os
