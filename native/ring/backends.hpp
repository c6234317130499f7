// SPDX-License-Identifier: Apache-2.0
// What open_ring (open.cpp) chooses from. Private to ring/.
#pragma once
#include <errno.h>
#include <sys/socket.h>

#include <memory>
#include <string>

#include "ring/ring.hpp"

namespace spliced::ring {

// Null when the kernel refuses or a policy forbids it; `detail` says which, and why.
std::unique_ptr<Ring> open_uring(std::string& detail);
std::unique_ptr<Ring> open_epoll(std::string& detail);

// Ring::send() without a completion: bytes, or a negative errno.
inline int32_t send_now(int socket, const char* data, size_t bytes) {
  const ssize_t sent = ::send(socket, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent < 0 ? -errno : static_cast<int32_t>(sent);
}

}  // namespace spliced::ring
