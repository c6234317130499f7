// SPDX-License-Identifier: Apache-2.0
// The body of a response: page cache -> socket with kernel TLS, page cache -> output buffer ->
// OpenSSL otherwise. file_body.cpp finds the bytes. The ledger limits the transfer to a window of
// pending bytes in the TLS layer, which has no bound of its own (net/tls/tls_sw.c: tx_list).
#include <errno.h>

#include <algorithm>
#include <cstring>

#include "base/assert.hpp"
#include "conn/file/file_body.hpp"
#include "conn/send_failure.hpp"
#include "conn/stream.hpp"
#include "conn/transport.hpp"

namespace spliced::conn {
namespace {

// Plaintext that may still be handed over, after the overhead of its records.
size_t room_in_window(const Services& s, const Connection& c) {
  const uint64_t pending = c.pending.ledger.pending_at_most();
  if (pending >= s.options.pending_window_bytes) return 0;
  const uint64_t room = s.options.pending_window_bytes - pending;
  const uint64_t overhead =
      c.tls.cipher->record_overhead_bytes() * (room / limits::kRecordPlaintextBytes + 2);
  return room > overhead ? static_cast<size_t>(room - overhead) : 0;
}

// How the next bytes are sent.
struct Piece {
  size_t direct = 0;  // from the page cache or the pipe
  size_t tail = 0;    // then from memory: at most one record, closed
};

// A send from memory waits until the cipher has finished all that this socket gave it
// (tls_encrypt_async_wait); since 6.5 a send from a file does so too.
// - With an asynchronous cipher the last record that fits the window is sent from memory. Then only
//   what TCP does not take is pending, and POLLOUT tells when it does. Nothing but a timer would
//   tell when the cipher has finished. A cipher counts as synchronous until a pause has shown that
//   it is not: one pause of 10 ms, once for each suite.
// - The last record of a body is sent from memory. By then all its pages have been through the
//   cipher, and whether they were still the file's is known before the body is complete
//   (fill_output). Before 6.5 it would also wait for a timer: tls_encrypt_done schedules the tx
//   work a tick later, and nothing else pushes it.
// - In between, no record is closed short.
Piece plan(const Services& s, const Request& r) {
  const Connection& c = *r.connection;
  // There is no room, and yet over_window() returned false: the peer is gone, and the send will
  // report it.
  const size_t room = std::max(room_in_window(s, c), limits::kRecordPlaintextBytes);
  const size_t bytes = std::min(r.pipe_bytes > 0 ? r.pipe_bytes : r.resident_bytes, room);
  const bool ends = bytes == r.pipe_bytes + r.body_remaining;
  Piece piece{bytes, 0};
  const bool fills = room - bytes < limits::kPieceBytes;
  const bool waits = s.kernel.sendfile_waits && r.pipe_bytes == 0;
  const bool asynchronous = s.asynchronous.test(tls::index_of(*c.tls.cipher));
  if (ends || (fills && asynchronous && !waits))
    piece.tail = std::min(bytes, limits::kRecordPlaintextBytes);
  piece.direct -= piece.tail;
  const size_t over = (c.pending.open_record_bytes + piece.direct) % limits::kRecordPlaintextBytes;
  if (!ends && piece.direct > over) piece.direct -= over;
  return piece;
}

// Done with no bytes: they have left the page cache, and the ring will read them.
os::Moved send_tail(Services& s, Request& r, size_t bytes) {
  Connection& c = *r.connection;
  const size_t resident = r.resident_bytes;
  r.resident_bytes = 0;
  const Source source = fill_output(s, r, bytes);
  if (source == Source::Waiting) return {};
  if (source != Source::Ready) return {os::Io::Failed, 0, EIO};
  if (resident > c.output.size()) r.resident_bytes = resident - c.output.size();
  return stream_send_output(s, c, /*more=*/false);
}

bool is_complete(const Request& r) {
  return r.pipe_bytes + r.body_remaining == 0;
}

// Sends one piece. Done: go on. Any other result is the socket's.
os::Moved send_piece(Services& s, Request& r) {
  Connection& c = *r.connection;
  if (!c.tls.offloaded) return stream_send_output(s, c, /*more=*/!is_complete(r));
  if (!c.output.empty()) return stream_send_output(s, c, /*more=*/false);
  const Piece piece = plan(s, r);
  os::Moved moved;
  if (piece.direct > 0) {
    moved =
        r.pipe_bytes > 0 ? stream_splice(s, r, piece.direct) : stream_send_file(s, r, piece.direct);
    if (moved.io != os::Io::Done || moved.bytes < piece.direct) return moved;
  }
  return piece.tail > 0 ? send_tail(s, r, piece.tail) : moved;
}

bool piece_in_hand(const Request& r) {
  const Connection& c = *r.connection;
  if (c.tls.offloaded && r.pipe_bytes + r.resident_bytes > 0) return true;
  if (c.tls.offloaded || !c.output.empty()) return !c.output.empty();
  return is_complete(r) ? c.tls.session->unsent_bytes() > 0 : c.tls.session->is_full();
}

size_t next_bytes(const Request& r) {
  const Connection& c = *r.connection;
  if (!c.output.empty()) return c.output.size();
  return std::min(r.pipe_bytes + r.resident_bytes, limits::kPieceBytes);
}

// The last byte of the body, or of one of its ranges, has been sent.
Turn finish_piece(Services& s, Request& r) {
  if (!r.parts) return finish_response(s, r);
  next_part(s, r);
  enter(s, r, State::Respond);
  return Turn::Again;
}

Source next_piece(Services& s, Request& r) {
  if (is_judging(r)) return judge_body(s, r);
  if (piece_in_hand(r)) return Source::Ready;
  return r.connection->tls.offloaded ? find_bytes(s, r) : next_record(s, r);
}

Turn send_body(Services& s, Request& r) {
  Connection& c = *r.connection;
  r.resident_bytes = 0;  // what an earlier turn found may have left the page cache
  const uint64_t before = c.pending.ledger.plaintext();
  while (c.pending.ledger.plaintext() - before < limits::kBytesPerTurn) {
    if (!piece_in_hand(r) && is_complete(r)) return finish_piece(s, r);
    const Source source = next_piece(s, r);
    if (source == Source::Waiting) return Turn::Wait;
    if (source != Source::Ready) {
      // The promised body cannot be completed: abort, without close_notify.
      abort(s, r, Ending::Aborted);
      return Turn::Again;
    }
    if (record_limit_reached(s, c)) {
      s.figures.record_limit_closes.add();
      abort(s, r, Ending::Aborted);
      return Turn::Again;
    }
    if (!c.edges.writable) return Turn::Wait;
    if (c.tls.offloaded && over_window(s, c, next_bytes(r))) {
      tick(s, r);
      return Turn::Wait;
    }
    const os::Moved moved = send_piece(s, r);
    if (moved.io == os::Io::WouldBlock) {
      tick(s, r);
      return Turn::Wait;
    }
    if (moved.io != os::Io::Done) return give_up_sending(s, c, moved.error);
  }
  return Turn::Yield;
}

}  // namespace

// Nothing that could be sent waits in the session for the disk, or for the next turn.
Turn splice(Services& s, Request& r) {
  Connection& c = *r.connection;
  const Turn turn = send_body(s, r);
  if (turn == Turn::Again) return turn;
  witness_progress(r);
  if (c.tls.offloaded || !c.edges.writable) return turn;
  const os::Moved moved = stream_flush(c);
  if (moved.io == os::Io::Failed) return give_up_sending(s, c, moved.error);
  if (moved.io == os::Io::WouldBlock) tick(s, r);
  return turn;
}

}  // namespace spliced::conn
