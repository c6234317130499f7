// SPDX-License-Identifier: Apache-2.0
// The link-time replacement of os/upstream_socket.cpp: sockets of the fake kernel, without a TLS
// layer. Whether somebody listens is kernel().backend's word.
#include "os/upstream_socket.hpp"

#include <errno.h>
#include <poll.h>

#include "fakes/fake_kernel.hpp"

namespace spliced::os {

using fakes::kernel;

const char* upstream_address_fault(const std::string&) {
  return nullptr;
}

int open_upstream(const std::string&) {
  if (kernel().backend.out_of_descriptors) return -EMFILE;
  const int fd = kernel().open_socket();
  kernel().backend.sockets.push_back(fd);
  return fd;
}

Moved connect_upstream(int socket, const std::string&) {
  if (kernel().use(socket, "connect_upstream") == nullptr) return {Io::Failed, 0, EBADF};
  return kernel().backend.connects;
}

bool is_quiet(int socket) {
  fakes::Socket* s = kernel().use(socket, "is_quiet");
  return s != nullptr && (s->readiness() & POLLIN) == 0;
}

}  // namespace spliced::os
