// SPDX-License-Identifier: Apache-2.0
// Plaintext in and out of a connection, whether the kernel or OpenSSL encrypts it. The only place
// where the two differ for the states, beside splice.cpp.
#pragma once
#include "conn/services.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {

os::Received stream_read(Connection& c, char* out, size_t capacity);

// Sends c.output. Done when it is empty; otherwise WouldBlock or Failed. `more`: a body follows at
// once; until then the last record stays open in the kernel, and in user space whole records stay
// in the session.
os::Moved stream_send_output(Services& s, Connection& c, bool more);
// User space: sends what is in the session. Done: all of it.
os::Moved stream_flush(Connection& c);

// Its body is in memory, and goes with the head.
inline bool sends_kept_body(const Request& r) {
  return r.body_remaining > 0 && r.file->body != nullptr && !r.parts;
}
// Sends c.output and then the kept body. Done when both are through; otherwise as above.
os::Moved stream_send_kept_body(Services& s, Request& r);

// Kernel TLS, one complete record or more: gives `output` to the ring. Either c.ops.sending until
// the completion, or, where the ring does not queue, c.ops.send_done at once.
void stream_queue_output(Services& s, Connection& c);
// What became of it, once c.ops.send_done. Done: taken, in part or whole.
os::Moved stream_sent(Services& s, Connection& c);

// The pipe's first bytes to the kernel's socket, counted in the ledger. `more`: the record may stay
// open, since a body's end never goes this way (splice.cpp).
os::Moved stream_splice(Services& s, Request& r, size_t bytes, bool more = true);

// The first bytes of a pipe that holds whole frames of HTTP/2, likewise.
os::Moved stream_splice_frames(Services& s, Connection& c, const os::Pipe& pipe, size_t bytes);

// The next resident bytes of the body to the kernel's socket, from the page cache.
os::Moved stream_send_file(Services& s, Request& r, size_t bytes);

// One control record of the kernel's. Closes an open record of data before it.
os::Moved stream_control(Connection& c, os::RecordType type, const uint8_t* payload, size_t bytes);
// An alert as one record (RFC 8446 6). Best effort in user space, where OpenSSL sends its own.
os::Moved stream_alert(Services& s, Connection& c, uint8_t level, uint8_t description);
// The last record: close_notify, or the alert that c.closing.farewell names.
os::Moved stream_farewell(Services& s, Connection& c);

}  // namespace spliced::conn
