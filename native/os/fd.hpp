// SPDX-License-Identifier: Apache-2.0
// An owned file descriptor. For files, pipes, listeners and the like. The socket of a live
// connection is closed by os::Closer alone, never by this destructor (see conn/join.cpp).
#pragma once
#include <utility>

namespace spliced::os {

void close_fd(int fd);  // ignores EINTR: on Linux the descriptor is gone either way

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1) {
    if (fd_ >= 0) close_fd(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace spliced::os
