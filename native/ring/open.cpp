// SPDX-License-Identifier: Apache-2.0
// Chooses the backend, once, at start.
#include "ring/backends.hpp"

namespace spliced::ring {

Opened open_ring(Backend wanted) {
  Opened opened;
  std::string refused = "io_uring is switched off by configuration";
  if (wanted == Backend::Auto) {
    opened.ring = open_uring(opened.detail);
    if (opened.ring) {
      opened.backend = "io_uring";
      return opened;
    }
    refused = opened.detail;
  }
  opened.ring = open_epoll(opened.detail);
  if (opened.ring) {
    opened.backend = "epoll";
    opened.detail = refused;
  }
  return opened;
}

}  // namespace spliced::ring
