// SPDX-License-Identifier: Apache-2.0
// The records that are no data, as the kernel hands them over: alerts, handshake messages, and what
// must not come. In user space OpenSSL deals with them.
#pragma once
#include "conn/services.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {

// What a read has given, of a type other than application data, at the tail of c.input.
Turn on_control(Services& s, Connection& c, const os::Received& got);

// The drain, but in the middle of an exchange: nobody knows what of a response is out.
Turn leave(Services& s, Connection& c, Ending ending);
// A fatal alert as the last record, then the drain: earlier responses and the alert arrive.
Turn refuse(Services& s, Connection& c, uint8_t description);
// The peer has said goodbye.
Turn peer_done(Services& s, Connection& c);

void count_flood(Services& s, tls::Flood flood);

}  // namespace spliced::conn
