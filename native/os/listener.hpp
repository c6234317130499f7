// SPDX-License-Identifier: Apache-2.0
// Listening sockets: bound once, before anything is served, so that a busy port is an error of the
// start and not of the first client; or taken over from the service manager, already bound.
#pragma once
#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "os/fd.hpp"

namespace spliced::os {

struct ListenAddress {
  std::string address;  // numeric IPv4 or IPv6, without brackets; perhaps with %interface
  uint16_t port = 0;    // 0: any free port
  int fd = -1;          // a listening socket to take over, instead of address and port
};

// False: `text` is no numeric address, or names an interface that is not there (fe80::1%eth0).
bool socket_address(const std::string& text, uint16_t port, sockaddr_storage& out,
                    socklen_t& bytes);

struct Listener {
  Fd fd;
  ListenAddress bound;  // with the real port, and the descriptor
};

// False, with one clear sentence in `error`, when the address is not numeric or cannot be bound.
// With `fd`: takes over a TCP socket that listens already, and refuses anything else, which then
// stays the caller's. `system_error` gets the errno of a system call that failed, else it is left.
bool open_listener(const ListenAddress& wanted, Listener& out, std::string& error,
                   int* system_error = nullptr);

// Resets up to `most` clients that wait to be accepted; how many it were. For a process that is out
// of descriptors: it needs one for a moment.
Fd spare_descriptor();
size_t refuse_waiting(int listener, size_t most);

// Closes a listening socket that others have duplicates of (the service manager's store), so that
// its port is free at once: the duplicates listen no more either. False: it is not such a socket.
bool retire_listener(int fd);

}  // namespace spliced::os
