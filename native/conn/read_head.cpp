// SPDX-License-Identifier: Apache-2.0
// Between requests: reads until a head is complete and hands it to request.cpp. Also where control
// records of a kernel-TLS socket are met.
#include <errno.h>

#include <cstring>

#include "conn/alert.hpp"
#include "conn/answer.hpp"
#include "conn/dispatch.hpp"
#include "conn/request.hpp"
#include "conn/stream.hpp"
#include "http/head.hpp"
#include "tls/ktls.hpp"

namespace spliced::conn {
namespace {

// A fatal alert as the last record, then the drain: earlier responses and the alert arrive.
Turn refuse(Services& s, Connection& c, uint8_t description) {
  if (c.offloaded) os::clear_error(c.socket);
  c.farewell = description;
  c.ending = Ending::PeerGone;
  begin_close(s, c);
  return Turn::Again;
}

Turn peer_done(Services& s, Connection& c) {
  c.peer_done = true;
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
  c.ending = Ending::PeerGone;
  begin_close(s, c);
  return Turn::Again;
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
    case EIO:
    case EKEYEXPIRED:
      return refuse(s, c, alert::kInternalError);
    default:
      abort(s, c, Ending::PeerGone);
      return Turn::Again;
  }
}

// RFC 8446 5.5 for the peer's direction. A record has at least one byte for us, or none: so count
// bytes, and ask the kernel only when that could be the limit.
bool receive_limit_reached(Connection& c, size_t bytes) {
  c.receive_sequence_at_most += bytes + 1;
  if (!c.offloaded || c.receive_sequence_at_most < limits::kRecordsPerKeyMax) return false;
  uint64_t next = 0;
  if (!tls::ktls::next_sequence(c.socket, tls::ktls::Direction::Receive, *c.cipher, next))
    return true;
  c.receive_sequence_at_most = next;
  return next >= limits::kRecordsPerKeyMax;
}

// Again: a head was complete and the state changed. Wait: more bytes are needed.
Turn parse(Services& s, Connection& c) {
  http::RequestHead head;
  const http::HeadResult result = http::parse_head({c.input.data(), c.input.size()}, head);
  switch (result.outcome) {
    case http::Outcome::Incomplete:
      return Turn::Wait;
    case http::Outcome::Complete:
      c.head_bytes = result.consumed;
      begin_request(s, c, head);
      return Turn::Again;
    case http::Outcome::Rejected:
      respond_error(s, c, result.status, /*keep_alive=*/false,
                    /*send_body=*/head.method != http::Method::Head);
      return Turn::Again;
  }
  return Turn::Wait;
}

void make_room(Connection& c) {
  if (c.input.begin == 0) return;
  std::memmove(c.input.memory.get(), c.input.data(), c.input.size());
  c.input.end = c.input.size();
  c.input.begin = 0;
}

// Nothing to read for now. The last response may still be with the cipher: ticks go on until it is
// known to be TCP's.
Turn rest(Services& s, Connection& c) {
  if (c.offloaded && c.ledger.pending_at_most() > 0) {
    if (c.tick_interval_ms == 0) c.tick_interval_ms = limits::kIdleTickMs;
    s.tick(c);
  }
  if (s.stopping && c.served) {
    begin_close(s, c);
    return Turn::Again;
  }
  if (c.input.empty()) c.input.release(s.buffers);
  return Turn::Wait;
}

}  // namespace

Turn read_head(Services& s, Connection& c) {
  if (!c.input.empty() && parse(s, c) == Turn::Again) return Turn::Again;
  while (c.readable) {
    c.input.hold(s.buffers);
    make_room(c);
    const os::Received got = stream_read(c, c.input.tail(), c.input.room());
    switch (got.io) {
      case os::Io::WouldBlock:
        return rest(s, c);
      case os::Io::Eof:
        return peer_done(s, c);
      case os::Io::Failed:
        return on_receive_error(s, c, got.error);
      case os::Io::Done:
        break;
    }
    if (receive_limit_reached(c, got.bytes)) {
      s.figures.record_limit_closes.add();
      begin_close(s, c);
      return Turn::Again;
    }
    if (got.type != os::RecordType::ApplicationData) return on_control(s, c, got);
    if (got.bytes == 0) return Turn::Yield;  // an empty record: legal, and never worth a loop
    if (c.input.empty()) s.set_deadline(c, s.now_ms + s.options.head_timeout_ms);
    c.input.end += got.bytes;
    s.figures.received_bytes.add(got.bytes);
    if (parse(s, c) == Turn::Again) return Turn::Again;
  }
  return rest(s, c);
}

}  // namespace spliced::conn
