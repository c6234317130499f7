// SPDX-License-Identifier: Apache-2.0
// Records other than application data, as the kernel passes them up: alerts, handshake messages,
// and types that must not come. In user space OpenSSL handles them.
#pragma once
#include "conn/services.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {

// Handles such a record, which the last read has put at the tail of c.input.
Turn on_control(Services& s, Connection& c, const os::Received& got);

// Begins the drain; in the middle of an exchange aborts, because it is unknown how much of the
// response has been sent.
Turn leave(Services& s, Connection& c, Ending ending);
// Sends a fatal alert as the last record, then drains, so that earlier responses and the alert
// arrive.
Turn refuse(Services& s, Connection& c, uint8_t description);
// The peer has sent close_notify or its FIN.
Turn peer_done(Services& s, Connection& c);

void count_flood(Services& s, tls::Flood flood);

}  // namespace spliced::conn
