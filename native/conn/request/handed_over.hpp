// SPDX-License-Identifier: Apache-2.0
// What is left of a backend's exchange once it has handed its answer over to a file
// (hand_over.cpp): for request.hpp, until the response has ended.
#pragma once
#include <string>

#include "http/hand_over.hpp"

namespace spliced::conn {

struct HandedOver {
  std::string request;                // a head, as http::keep_request() writes it
  uint64_t rate_max_bytes_per_s = 0;  // of the proxy route
  http::KeptFields kept;              // of the backend's
  std::string route, file;            // for the log: the proxy route's path, and what it named
};

}  // namespace spliced::conn
