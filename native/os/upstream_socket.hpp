// SPDX-License-Identifier: Apache-2.0
// Sockets to a backend on the device: "unix:/run/app.sock", "tcp:127.0.0.1:3000", "tcp:[::1]:3000".
// Non-blocking, as every socket of the engine. Native tests link test/native/fakes in its place.
#pragma once
#include <string>

#include "os/socket_io.hpp"

namespace spliced::os {

// Null, or what is wrong with the address. Host names are refused: nothing here waits for a
// resolver.
const char* upstream_address_fault(const std::string& address);

// Opens a socket that is not connected yet. Negative: the errno.
int open_upstream(const std::string& address);

// Begins to connect, or asks how far it is. Done: connected. WouldBlock: call again when the socket
// is writable (TCP), or after a while (a Unix socket whose backlog is full).
Moved connect_upstream(int socket, const std::string& address);

// Whether an idle connection is as it should be: neither bytes nor an end have arrived.
bool is_quiet(int socket);

}  // namespace spliced::os
