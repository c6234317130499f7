// SPDX-License-Identifier: Apache-2.0
// See input.hpp.
#include "conn/input.hpp"

#include <errno.h>

#include <cstring>

#include "conn/alert.hpp"
#include "conn/dispatch.hpp"
#include "conn/send_failure.hpp"
#include "conn/stream.hpp"
#include "tls/ktls.hpp"

namespace spliced::conn {
namespace {

// The drain, but in the middle of an exchange: nobody knows what of a response is out.
Turn leave(Services& s, Connection& c, Ending ending) {
  if (c.exchange) {
    abort(s, c, ending);
  } else {
    c.ending = ending;
    begin_close(s, c);
  }
  return Turn::Again;
}

// A fatal alert as the last record, then the drain: earlier responses and the alert arrive.
Turn refuse(Services& s, Connection& c, uint8_t description) {
  if (c.offloaded) os::clear_error(c.socket);
  c.farewell = description;
  return leave(s, c, Ending::PeerGone);
}

// A response that is under way is for one who still listens.
Turn peer_done(Services& s, Connection& c) {
  c.peer_done = true;
  if (c.exchange) return Turn::Wait;
  begin_close(s, c);
  return Turn::Again;
}

// RFC 8446 6.1: close_notify ends the peer's direction; every other alert ends the connection.
Turn on_alert(Services& s, Connection& c, const char* payload, size_t bytes) {
  const bool complete = bytes == 2;
  const uint8_t description = complete ? static_cast<uint8_t>(payload[1]) : 0;
  if (complete && (description == alert::kCloseNotify || description == alert::kUserCanceled))
    return peer_done(s, c);
  // RFC 5246 7.2.2: a warning may be ignored. TLS 1.3 has none but the two above (RFC 8446 6).
  const bool warning = complete && static_cast<uint8_t>(payload[0]) == alert::kWarning;
  if (warning && c.cipher->version == tls::Version::Tls12) return Turn::Yield;
  return leave(s, c, Ending::PeerGone);
}

Turn on_handshake_message(Services& s, Connection& c, uint8_t message) {
  if (c.cipher->version == tls::Version::Tls12) {
    // Renegotiation is declined, once, and the connection goes on (RFC 5246 7.2.2).
    if (message != alert::kMessageClientHello || c.renegotiation_declined)
      return refuse(s, c, alert::kUnexpectedMessage);
    c.renegotiation_declined = true;
    const os::Moved moved = stream_alert(s, c, alert::kWarning, alert::kNoRenegotiation);
    if (moved.io == os::Io::Done) return Turn::Yield;
    return refuse(s, c, alert::kUnexpectedMessage);
  }
  // The peer's next records are under a key that the kernel cannot be given before Linux 6.14.
  if (message == alert::kMessageKeyUpdate) return refuse(s, c, alert::kInternalError);
  return refuse(s, c, alert::kUnexpectedMessage);
}

Turn on_control(Services& s, Connection& c, const os::Received& got) {
  s.figures.control_records.add();
  const char* payload = c.input.tail();
  switch (got.type) {
    case os::RecordType::Alert:
      return on_alert(s, c, payload, got.bytes);
    case os::RecordType::Handshake:
      return on_handshake_message(s, c, got.bytes > 0 ? static_cast<uint8_t>(payload[0]) : 0);
    default:
      return refuse(s, c, alert::kUnexpectedMessage);
  }
}

Turn on_receive_error(Services& s, Connection& c, int error) {
  switch (error) {
    case EBADMSG:  // net/tls/tls_sw.c: the tag did not match
      return refuse(s, c, alert::kBadRecordMac);
    case EMSGSIZE:
      return refuse(s, c, alert::kRecordOverflow);
    case EINVAL:
      return refuse(s, c, alert::kProtocolVersion);
    case EKEYEXPIRED:
      return refuse(s, c, alert::kInternalError);
    default:
      break;
  }
  if (!c.offloaded || peer_is_gone(c, error)) {
    abort(s, c, Ending::PeerGone);
    return Turn::Again;
  }
  // The cipher's own error: the record is lost, and with it every later one. What was answered
  // before still arrives.
  s.figures.decrypt_failures.add();
  const Turn turn = refuse(s, c, alert::kInternalError);
  c.ending = Ending::Aborted;
  return turn;
}

// RFC 8446 5.5 for the peer's direction. A record has at least one byte for us, or none: so count
// bytes, and ask the kernel only when that could be the limit.
bool limit_reached(Connection& c, size_t bytes) {
  c.receive_sequence_at_most += bytes + 1;
  if (!c.offloaded || c.receive_sequence_at_most < limits::kRecordsPerKeyMax) return false;
  uint64_t next = 0;
  if (!tls::ktls::next_sequence(c.socket, tls::ktls::Direction::Receive, *c.cipher, next))
    return true;
  c.receive_sequence_at_most = next;
  return next >= limits::kRecordsPerKeyMax;
}

void make_room(Connection& c) {
  if (c.input.begin == 0) return;
  std::memmove(c.input.memory.get(), c.input.data(), c.input.size());
  c.input.end = c.input.size();
  c.input.begin = 0;
}

}  // namespace

bool count_received(Services& s, Connection& c, size_t bytes) {
  s.figures.received_bytes.add(bytes);
  return limit_reached(c, bytes);
}

bool receive(Services& s, Connection& c, Turn& turn) {
  c.input.hold(s.buffers);
  make_room(c);
  const size_t room = c.input.room();
  const os::Received got = stream_read(c, c.input.tail(), room);
  c.read_short = c.offloaded && !c.half_closed && got.io == os::Io::Done && got.bytes < room;
  return take_received(s, c, got, turn);
}

bool take_received(Services& s, Connection& c, const os::Received& got, Turn& turn) {
  switch (got.io) {
    case os::Io::WouldBlock:
      turn = Turn::Wait;
      return false;
    case os::Io::Eof:
      turn = peer_done(s, c);
      return false;
    case os::Io::Failed:
      turn = on_receive_error(s, c, got.error);
      return false;
    case os::Io::Done:
      break;
  }
  if (limit_reached(c, got.bytes)) {
    s.figures.record_limit_closes.add();
    turn = leave(s, c, c.exchange ? Ending::Aborted : Ending::None);
    return false;
  }
  if (got.type != os::RecordType::ApplicationData) {
    turn = on_control(s, c, got);
    return false;
  }
  turn = Turn::Yield;  // an empty record: legal, and never worth a loop
  if (got.bytes == 0) return false;
  c.input.end += got.bytes;
  s.figures.received_bytes.add(got.bytes);
  return true;
}

void watch_last_response(Services& s, Connection& c) {
  if (!c.offloaded || (c.ledger.pending_at_most() == 0 && !c.read_short)) return;
  if (c.tick_due_ms != 0) return;
  if (c.tick_interval_ms == 0) c.tick_interval_ms = limits::kIdleTickMs;
  s.tick(c);
}

}  // namespace spliced::conn
