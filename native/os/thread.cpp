// SPDX-License-Identifier: Apache-2.0
// See thread.hpp.
#include "os/thread.hpp"

#include <fcntl.h>
#include <string.h>

#include <chrono>
#include <string>

#include "os/fd.hpp"

namespace spliced::os {

bool Thread::join_within(uint32_t wait_ms) {
  if (!thread_.joinable()) return true;
  {
    std::unique_lock<std::mutex> lock(life_->mutex);
    const auto patience = std::chrono::milliseconds(wait_ms);
    if (!life_->ended.wait_for(lock, patience, [this] { return life_->has_ended; })) return false;
  }
  thread_.join();
  return true;
}

char Thread::state() const {
  const pid_t id = life_ ? life_->id.load(std::memory_order_relaxed) : 0;
  if (id == 0) return 0;
  const std::string path = "/proc/self/task/" + std::to_string(id) + "/stat";
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return 0;
  char text[128];  // the id, the name in parentheses (16 bytes at most), the state, ...
  const ssize_t bytes = ::read(file.get(), text, sizeof text - 1);
  text[bytes < 0 ? 0 : bytes] = 0;
  const char* name_end = ::strrchr(text, ')');
  return name_end != nullptr && name_end[1] == ' ' ? name_end[2] : 0;
}

}  // namespace spliced::os
