// SPDX-License-Identifier: Apache-2.0
// Replaces uring.cpp in a build without liburing (binding.gyp, spliced_io_uring=0).
#include "ring/backends.hpp"

namespace spliced::ring {

std::unique_ptr<Ring> open_uring(std::string& detail) {
  detail = "this build has no io_uring (it was made without liburing)";
  return nullptr;
}

}  // namespace spliced::ring
