// SPDX-License-Identifier: Apache-2.0
// See input.hpp.
#include "conn/input.hpp"

#include <errno.h>

#include <cstring>

#include "conn/alert.hpp"
#include "conn/control.hpp"
#include "conn/dispatch.hpp"
#include "conn/key_update.hpp"
#include "conn/send_failure.hpp"
#include "conn/stream.hpp"
#include "tls/ktls.hpp"

namespace spliced::conn {
namespace {

// In user space OpenSSL's own alert goes out as the last record.
Turn on_refused_by_openssl(Services& s, Connection& c) {
  if (const std::optional<tls::Flood> flood = c.tls.session->flood()) count_flood(s, *flood);
  return leave(s, c, Ending::PeerGone);
}

Turn on_receive_error(Services& s, Connection& c, int error) {
  if (!c.tls.offloaded && error == EBADMSG) return on_refused_by_openssl(s, c);
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
  if (!c.tls.offloaded || peer_is_gone(c, error)) {
    abort(s, c, Ending::PeerGone);
    return Turn::Again;
  }
  // The cipher's own error: this record and every later one are lost. Earlier responses still
  // arrive.
  s.figures.decrypt_failures.add();
  const Turn turn = refuse(s, c, alert::kInternalError);
  c.closing.ending = Ending::Aborted;
  return turn;
}

// RFC 8446 5.5 for the peer's direction. A read brings at most `bytes` records with content, and
// one without. So bytes are counted, and the kernel is asked only when the sum could reach the
// limit.
bool limit_reached(Services& s, Connection& c, size_t bytes) {
  const uint64_t most = s.options.records_per_key_max;
  c.tls.receive_sequence_at_most += bytes + 1;
  if (!c.tls.offloaded || c.tls.receive_sequence_at_most < most) return false;
  uint64_t next = 0;
  if (!tls::ktls::next_sequence(c.socket, tls::ktls::Direction::Receive, *c.tls.cipher, next))
    return true;
  c.tls.receive_sequence_at_most = next;
  if (next < most) return false;
  if (!c.tls.secrets) return true;
  ask_for_key_update(s, c);
  return next >= most + limits::kRecordsToUpdateKeys;
}

// tls/record_input.hpp sets the same limit for OpenSSL. True: it is reached.
bool without_data(Services& s, Connection& c, Turn& turn) {
  if (++c.tls.records_without_data <= limits::kRecordsWithoutDataMax) return false;
  count_flood(s, tls::Flood::RecordsWithoutData);
  turn = refuse(s, c, alert::kUnexpectedMessage);
  return true;
}

void make_room(Connection& c) {
  if (c.input.begin == 0) return;
  std::memmove(c.input.memory.get(), c.input.data(), c.input.size());
  c.input.end = c.input.size();
  c.input.begin = 0;
}

}  // namespace

bool count_received(Services& s, Connection& c, size_t bytes) {
  if (bytes > 0) c.tls.records_without_data = 0;
  s.figures.received_bytes.add(bytes);
  return limit_reached(s, c, bytes);
}

bool receive(Services& s, Connection& c, Turn& turn) {
  if (c.input.empty() && c.input.is_large()) c.input.release(s.buffers);
  c.input.hold(s.buffers);
  make_room(c);
  c.input.hold(s.buffers, limits::kInputRoomMin);  // behind a long head
  const size_t room = c.input.room();
  const os::Received got = stream_read(c, c.input.tail(), room);
  // Behind a control record there may be another of any type.
  const bool data = got.io == os::Io::Done && got.type == os::RecordType::ApplicationData;
  c.edges.read_short = c.tls.offloaded && !c.edges.half_closed && data && got.bytes < room;
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
  if (limit_reached(s, c, got.bytes)) {
    s.figures.record_limit_closes.add();
    turn = leave(s, c, c.request.exchange ? Ending::Aborted : Ending::None);
    return false;
  }
  const bool control = got.type != os::RecordType::ApplicationData;
  if (c.tls.offloaded && (control || got.bytes == 0) && without_data(s, c, turn)) return false;
  if (control) {
    turn = on_control(s, c, got);
    return false;
  }
  // An empty record (RFC 8446 5.4), or OpenSSL's records of this turn are used up.
  turn = Turn::Yield;
  if (got.bytes == 0) return false;
  c.tls.records_without_data = 0;
  c.input.end += got.bytes;
  s.figures.received_bytes.add(got.bytes);
  return true;
}

void watch_last_response(Services& s, Connection& c) {
  if (!c.tls.offloaded || (c.pending.ledger.pending_at_most() == 0 && !c.edges.read_short)) return;
  if (c.times.tick_due_ms != 0) return;
  if (c.times.tick_interval_ms == 0) c.times.tick_interval_ms = limits::kIdleTickMs;
  s.tick(c);
}

}  // namespace spliced::conn
