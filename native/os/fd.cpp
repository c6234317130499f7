// SPDX-License-Identifier: Apache-2.0
// The only bare close(2) of descriptors that belong to no connection.
#include "os/fd.hpp"

#include <unistd.h>

namespace spliced::os {

void close_fd(int fd) {
  ::close(fd);
}

}  // namespace spliced::os
