// SPDX-License-Identifier: Apache-2.0
// What open_ring (open.cpp) chooses from. Private to ring/.
#pragma once
#include <memory>
#include <string>

#include "ring/ring.hpp"

namespace spliced::ring {

// Null when the kernel refuses or a policy forbids it; `detail` says which, and why.
std::unique_ptr<Ring> open_uring(std::string& detail);
std::unique_ptr<Ring> open_epoll(std::string& detail);

}  // namespace spliced::ring
