// SPDX-License-Identifier: Apache-2.0
// What is kept of an exchange after its answer was handed over to a file (hand_over.cpp). For
// request.hpp, until the response has ended.
#pragma once
#include <string>

#include "http/hand_over.hpp"

namespace spliced::conn {

struct HandedOver {
  std::string request;                // a head, written by http::keep_request()
  uint64_t rate_max_bytes_per_s = 0;  // of the proxy route
  http::KeptFields kept;              // fields of the backend's head
  // For the log: the proxy route's path, and the name that the backend gave.
  std::string route, file;
};

}  // namespace spliced::conn
