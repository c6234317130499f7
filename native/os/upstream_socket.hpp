// SPDX-License-Identifier: Apache-2.0
// Sockets to a backend on the device: "unix:/run/app.sock", "tcp:127.0.0.1:3000", "tcp:[::1]:3000".
// Non-blocking, as every socket of the engine. Native tests link test/native/fakes in its place.
#pragma once
#include <string>

#include "os/socket_io.hpp"

namespace spliced::os {

// Null, or what is wrong with the address. A name is none: nobody here waits for a resolver.
const char* upstream_address_fault(const std::string& address);

// A socket that is not connected yet. Negative: the errno.
int open_upstream(const std::string& address);

// Begins to connect, or looks how far it is. Done: it is connected. WouldBlock: ask again when the
// socket is writable (TCP), or after a while (a Unix socket whose backlog is full).
Moved connect_upstream(int socket, const std::string& address);

// An idle connection has nothing to say: no bytes, no end.
bool is_quiet(int socket);

}  // namespace spliced::os
