// SPDX-License-Identifier: Apache-2.0
// New keys in the middle of a connection that the kernel encrypts: RFC 8446 4.6.3, Linux 6.14 and
// later (Documentation/networking/tls.rst, "TLS 1.3 Key Updates"). Elsewhere Connection::tls.secrets is
// null: a KeyUpdate ends the connection, and so does the limit of records under one key.
#pragma once
#include "conn/services.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {

// A handshake message of that type has come.
Turn on_key_update(Services& s, Connection& c, const uint8_t* payload, size_t bytes);

// Ours, which is due. stream.cpp calls it before application data: not while the ring has some.
// Done: what follows is under the next key. WouldBlock: it is due as before.
os::Moved send_key_update(Services& s, Connection& c);

// The peer has used up its key: it is asked for the next, once.
void ask_for_key_update(Services& s, Connection& c);

}  // namespace spliced::conn
