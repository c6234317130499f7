// SPDX-License-Identifier: Apache-2.0
// See control.hpp.
#include "conn/control.hpp"

#include <algorithm>

#include "conn/alert.hpp"
#include "conn/dispatch.hpp"
#include "conn/h2/mux.hpp"
#include "conn/key_update.hpp"
#include "conn/stream.hpp"

namespace spliced::conn {
namespace {

constexpr size_t kAlertBytes = 2;            // level and description
constexpr size_t kHandshakeHeaderBytes = 4;  // msg_type and a length of 24 bits

bool is_tls13(const Connection& c) {
  return c.tls.cipher->version == tls::Version::Tls13;
}

// RFC 8446 6.1: close_notify ends the peer's direction; every other alert ends the connection. An
// alert is one record of two bytes: RFC 8446 5.1, and for TLS 1.2 what OpenSSL demands. (RFC 5246
// 6.2.1 would allow two alerts in a record, or half of one; no client sends that.)
Turn on_alert(Services& s, Connection& c, const uint8_t* payload, size_t bytes) {
  if (bytes == 0) return refuse(s, c, alert::kUnexpectedMessage);  // RFC 8446 5.4
  if (bytes != kAlertBytes) return refuse(s, c, alert::kDecodeError);
  const uint8_t level = payload[0], description = payload[1];
  if (description == alert::kCloseNotify || description == alert::kUserCanceled)
    return peer_done(s, c);
  // RFC 8446 6: the level is ignored; only the two alerts above are warnings.
  if (is_tls13(c) || level == alert::kFatal) return leave(s, c, Ending::PeerGone);
  // RFC 5246 7.2.2: a warning may be ignored.
  return level == alert::kWarning ? Turn::Yield : refuse(s, c, alert::kIllegalParameter);
}

// Reads a declined ClientHello to its end, which may take several records and several reads. True:
// it is well-formed so far, and nothing follows it.
bool pass_hello(Connection& c, const uint8_t* payload, size_t bytes) {
  Hello& hello = c.tls.declined_hello;
  while (bytes > 0 && hello.header_bytes < kHandshakeHeaderBytes) {
    if (hello.header_bytes == 0 && *payload != alert::kMessageClientHello) return false;
    if (hello.header_bytes > 0) hello.left = hello.left << 8 | *payload;
    hello.header_bytes++;
    payload++;
    bytes--;
  }
  if (bytes > hello.left) return false;
  hello.left -= static_cast<uint32_t>(bytes);
  return true;
}

bool is_whole(const Hello& hello) {
  return hello.header_bytes == kHandshakeHeaderBytes && hello.left == 0;
}

// Renegotiation is declined, once, and the connection goes on (RFC 5246 7.2.2).
Turn on_renegotiation(Services& s, Connection& c, const uint8_t* payload, size_t bytes) {
  const bool again = c.tls.renegotiation_declined && is_whole(c.tls.declined_hello);
  if (again && payload[0] == alert::kMessageClientHello) count_flood(s, tls::Flood::Renegotiation);
  if (again || !pass_hello(c, payload, bytes)) return refuse(s, c, alert::kUnexpectedMessage);
  if (c.tls.renegotiation_declined) return Turn::Yield;
  c.tls.renegotiation_declined = true;
  const os::Moved moved = stream_alert(s, c, alert::kWarning, alert::kNoRenegotiation);
  if (moved.io == os::Io::Done) return Turn::Yield;
  return refuse(s, c, alert::kUnexpectedMessage);
}

Turn on_handshake_message(Services& s, Connection& c, const uint8_t* payload, size_t bytes) {
  if (bytes == 0) return refuse(s, c, alert::kUnexpectedMessage);  // RFC 8446 5.1, 5.4
  if (!is_tls13(c)) return on_renegotiation(s, c, payload, bytes);
  if (payload[0] != alert::kMessageKeyUpdate) return refuse(s, c, alert::kUnexpectedMessage);
  return on_key_update(s, c, payload, bytes);
}

}  // namespace

Turn leave(Services& s, Connection& c, Ending ending) {
  const bool has_streams = c.h2 && (c.h2->open > 0 || c.h2->has_unsent());
  if (c.request.exchange || has_streams) {
    abort(s, c, ending);
  } else {
    c.closing.ending = ending;
    begin_close(s, c);
  }
  return Turn::Again;
}

Turn refuse(Services& s, Connection& c, uint8_t description) {
  if (c.tls.offloaded) os::clear_error(c.socket);
  c.closing.farewell = description;
  return leave(s, c, Ending::PeerGone);
}

// A response that is under way is sent on: the client may still read.
Turn peer_done(Services& s, Connection& c) {
  c.closing.peer_done = true;
  if (c.request.exchange || c.h2) return Turn::Wait;
  begin_close(s, c);
  return Turn::Again;
}

void count_flood(Services& s, tls::Flood flood) {
  s.figures.floods[static_cast<size_t>(flood)].add();
}

Turn on_control(Services& s, Connection& c, const os::Received& got) {
  s.figures.control_records.add();
  const auto* payload = reinterpret_cast<const uint8_t*>(c.input.tail());
  switch (got.type) {
    case os::RecordType::Alert:
      return on_alert(s, c, payload, got.bytes);
    case os::RecordType::Handshake:
      return on_handshake_message(s, c, payload, got.bytes);
    default:  // change_cipher_spec, which comes only unencrypted (RFC 8446 5), and unknown types
      return refuse(s, c, alert::kUnexpectedMessage);
  }
}

}  // namespace spliced::conn
