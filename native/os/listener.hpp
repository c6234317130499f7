// SPDX-License-Identifier: Apache-2.0
// Listening sockets: bound once, before anything is served, so that a busy port is an error of the
// start and not of the first client.
#pragma once
#include <cstdint>
#include <string>

#include "os/fd.hpp"

namespace spliced::os {

struct ListenAddress {
  std::string address;  // numeric IPv4 or IPv6, without brackets
  uint16_t port = 0;    // 0: any free port
};

struct Listener {
  Fd fd;
  ListenAddress bound;  // with the real port
};

// False, with one clear sentence in `error`, when the address is not numeric or cannot be bound.
bool open_listener(const ListenAddress& wanted, Listener& out, std::string& error);

}  // namespace spliced::os
