// SPDX-License-Identifier: Apache-2.0
// See key_update.hpp.
#include "conn/key_update.hpp"

#include <errno.h>

#include "base/assert.hpp"
#include "conn/alert.hpp"
#include "conn/control.hpp"
#include "conn/send_failure.hpp"
#include "conn/stream.hpp"
#include "tls/ktls.hpp"

namespace spliced::conn {
namespace {

constexpr size_t kMessageBytes = 5;  // msg_type, a length of 24 bits, request_update

// RFC 8446 4.6.3, and 5.1 for what follows in the same record. 0: it is well-formed.
uint8_t fault_of(const uint8_t* payload, size_t bytes) {
  if (bytes > kMessageBytes) return alert::kUnexpectedMessage;
  // A fragment of a KeyUpdate: the kernel already waits for the next key.
  if (bytes < kMessageBytes) return alert::kInternalError;
  if (payload[1] != 0 || payload[2] != 0 || payload[3] != 1) return alert::kDecodeError;
  return payload[4] > alert::kUpdateRequested ? alert::kIllegalParameter : 0;
}

// Sends it at once if nothing is being sent and the socket is writable. Otherwise it goes before
// the next data, which is all that RFC 8446 requires.
os::Moved send_if_free(Services& s, Connection& c) {
  if (!c.tls.key_update_due || c.ops.sending || c.ops.send_done || !c.edges.writable) return {};
  return send_key_update(s, c);
}

}  // namespace

Turn on_key_update(Services& s, Connection& c, const uint8_t* payload, size_t bytes) {
  if (const uint8_t fault = fault_of(payload, bytes)) return refuse(s, c, fault);
  // The kernel does not accept the key of the peer's next records.
  if (!c.tls.secrets ||
      c.tls.secrets->update(c.socket, tls::ktls::Direction::Receive, *c.tls.cipher) != 0)
    return refuse(s, c, alert::kInternalError);
  s.figures.key_updates_received.add();
  c.tls.key_update_asked = false;
  if (payload[4] == alert::kUpdateRequested) c.tls.key_update_due = true;
  const os::Moved moved = send_if_free(s, c);
  return moved.io == os::Io::Failed ? give_up_sending(s, c, moved.error) : Turn::Yield;
}

os::Moved send_key_update(Services& s, Connection& c) {
  SPLICED_ASSERT(!c.ops.sending);  // nobody could tell under which key that would be
  const uint8_t message[kMessageBytes] = {
      alert::kMessageKeyUpdate, 0, 0, 1,
      c.tls.key_update_asked ? alert::kUpdateRequested : alert::kUpdateNotRequested};
  const os::Moved moved = stream_control(c, os::RecordType::Handshake, message, sizeof message);
  if (moved.io != os::Io::Done) return moved;
  // The call closed an open record first and waited for the cipher (net/tls/tls_sw.c:
  // tls_sw_sendmsg_locked), so nothing is being encrypted under the former key.
  uint64_t next_sequence = 0;
  if (!tls::ktls::next_sequence(c.socket, tls::ktls::Direction::Transmit, *c.tls.cipher,
                                next_sequence))
    return {os::Io::Failed, 0, EIO};
  if (const int error =
          c.tls.secrets->update(c.socket, tls::ktls::Direction::Transmit, *c.tls.cipher))
    return {os::Io::Failed, 0, error};
  c.pending.ledger.key_changed(next_sequence);
  c.pending.open_record_bytes = 0;
  c.tls.key_update_due = false;
  s.figures.key_updates_sent.add();
  return {};
}

void ask_for_key_update(Services& s, Connection& c) {
  if (c.tls.key_update_asked) return;
  c.tls.key_update_asked = c.tls.key_update_due = true;
  (void)send_if_free(s, c);  // if it fails, the state's own send fails as well and handles it
}

}  // namespace spliced::conn
