// SPDX-License-Identifier: Apache-2.0
// Listening sockets. They are bound once, before anything is served, so that a port in use is an
// error of the start and not of the first client. Or they are taken over from the service manager,
// already bound.
#pragma once
#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "os/fd.hpp"

namespace spliced::os {

struct ListenAddress {
  std::string address;  // numeric IPv4 or IPv6, without brackets; %interface may follow
  uint16_t port = 0;    // 0: any free port
  int fd = -1;          // a listening socket to take over, instead of address and port
};

// False: `text` is no numeric address, or names an interface that does not exist (fe80::1%eth0).
bool socket_address(const std::string& text, uint16_t port, sockaddr_storage& out,
                    socklen_t& bytes);

struct Listener {
  Fd fd;
  ListenAddress bound;  // with the real port, and the descriptor
};

// Binds and listens. False if the address is not numeric or cannot be bound; `error` is then one
// sentence for the log. With `wanted.fd` it takes over a TCP socket that listens already; it
// refuses any other descriptor, which then remains the caller's. `system_error` is set to the errno
// of a system call that failed, and is otherwise unchanged.
bool open_listener(const ListenAddress& wanted, Listener& out, std::string& error,
                   int* system_error = nullptr);

// Resets up to `most` clients that wait to be accepted; how many it were. For a process that is out
// of descriptors: it needs one for a moment.
Fd spare_descriptor();
size_t refuse_waiting(int listener, size_t most);

// Shuts down a listening socket of which others (the service manager's store) hold duplicates, so
// that its port is free at once: the duplicates stop listening as well. False: it is no listening
// socket.
bool retire_listener(int fd);

}  // namespace spliced::os
