// SPDX-License-Identifier: Apache-2.0
// The body of a response, a piece at a time: page cache -> pipe -> socket under kernel TLS, page
// cache -> output buffer -> OpenSSL otherwise. A piece that is not in the page cache is read by the
// ring, off this thread. The ledger is the brake: no more than the window may be pending in the TLS
// layer, which by itself takes without a bound (net/tls/tls_sw.c: tx_list).
#include <errno.h>

#include <algorithm>
#include <cstring>

#include "base/assert.hpp"
#include "conn/dispatch.hpp"
#include "conn/send_failure.hpp"
#include "conn/stream.hpp"

namespace spliced::conn {
namespace {

enum class Source : uint8_t { Ready, Waiting, Truncated, Failed };

Source begin_cold_fill(Services& s, Connection& c, size_t wanted) {
  c.filling = true;
  c.async_done = false;
  c.inflight++;
  s.figures.files.cold_fills.add();
  s.ring.fill_pipe(c.file->fd.get(), c.body_offset, c.pipe.write_end.get(), wanted,
                   token_of(c, ring::Kind::FillPipe));
  return Source::Waiting;
}

Source account_fill(Connection& c, size_t bytes) {
  SPLICED_ASSERT(bytes <= c.body_remaining);
  c.pipe_bytes += bytes;
  c.body_offset += bytes;
  c.body_remaining -= bytes;
  return Source::Ready;
}

// What the ring has read since the last turn.
Source finish_cold_fill(Connection& c) {
  c.async_done = false;
  if (c.async_result == 0) return Source::Truncated;
  if (c.async_result < 0) return Source::Failed;
  return account_fill(c, static_cast<size_t>(c.async_result));
}

// Whether the last byte of the piece is in the page cache: read-ahead fills it in order, so the
// rest is there too, or was a moment ago.
bool resident(files::File& file, uint64_t offset, size_t bytes) {
  if (!file.residency_known) return false;
  char last;
  const os::Moved got = os::read_cached(file.fd.get(), offset + bytes - 1, &last, 1);
  if (got.io == os::Io::Failed) file.residency_known = false;
  return got.io == os::Io::Done;
}

// The next piece into the pipe.
Source fill(Services& s, Connection& c) {
  if (c.filling) return Source::Waiting;
  if (c.async_done) return finish_cold_fill(c);
  if (!c.pipe) c.pipe = s.pipes.take();
  if (!c.pipe) {  // out of descriptors: another connection will give one back
    s.tick(c);
    return Source::Waiting;
  }
  const size_t wanted =
      static_cast<size_t>(std::min<uint64_t>(limits::kPieceBytes, c.body_remaining));
  if (!resident(*c.file, c.body_offset, wanted)) return begin_cold_fill(s, c, wanted);
  const os::Moved moved =
      os::file_to_pipe(c.file->fd.get(), c.body_offset, c.pipe.write_end.get(), wanted);
  if (moved.io == os::Io::Eof) return Source::Truncated;
  if (moved.io != os::Io::Done) return Source::Failed;
  return account_fill(c, moved.bytes);
}

Source pipe_to_output(Services& s, Connection& c) {
  c.output.hold(s.buffers);
  const os::Moved got = os::pipe_to_memory(c.pipe.read_end.get(), c.output.tail(),
                                           std::min(c.pipe_bytes, limits::kRecordPlaintextBytes));
  if (got.io != os::Io::Done) return Source::Failed;
  c.pipe_bytes -= got.bytes;
  c.output.end += got.bytes;
  return Source::Ready;
}

// User-space TLS: the next record's plaintext into the output buffer.
Source fill_output(Services& s, Connection& c) {
  const size_t wanted =
      static_cast<size_t>(std::min<uint64_t>(limits::kRecordPlaintextBytes, c.body_remaining));
  if (c.pipe_bytes == 0 && !c.filling && !c.async_done && c.file->residency_known) {
    c.output.hold(s.buffers);
    const os::Moved got = os::read_cached(c.file->fd.get(), c.body_offset, c.output.tail(), wanted);
    if (got.io == os::Io::Eof) return Source::Truncated;
    if (got.io == os::Io::Failed) c.file->residency_known = false;
    if (got.io == os::Io::Done) {
      c.output.end += got.bytes;
      c.body_offset += got.bytes;
      c.body_remaining -= got.bytes;
      return Source::Ready;
    }
  }
  if (c.pipe_bytes == 0) {
    const Source source = fill(s, c);
    if (source != Source::Ready) return source;
  }
  return pipe_to_output(s, c);
}

bool record_limit_reached(Services& s, Connection& c) {
  if (c.ledger.sequence_at_most() < limits::kRecordsPerKeyMax) return false;
  observe(s, c);
  return c.ledger.sequence_at_most() >= limits::kRecordsPerKeyMax;
}

// What is sent from memory waits for the cipher to finish all that this socket gave it
// (tls_encrypt_async_wait). Done before the window is full, that leaves pending only what TCP does
// not take, and for that there is POLLOUT; for the cipher there would be a timer alone.
bool next_exceeds_window(const Services& s, const Connection& c) {
  return c.ledger.pending_at_most() + c.pipe_bytes + limits::kPieceBytes >
         s.options.pending_window_bytes;
}

// One piece on its way. Done: go on; everything else as the socket said.
//
// The last record of a body is sent from memory, with the record closed; what is spliced leaves the
// record open. Before 6.5 the last record of a splice waits for a timer when the cipher is
// asynchronous (tls_encrypt_done schedules the tx work a tick later, and nothing else pushes it),
// and a splice that leaves the record open does not wait for the cipher on any version.
os::Moved send_piece(Services& s, Connection& c) {
  if (!c.offloaded || !c.output.empty()) return stream_send_output(s, c, /*more=*/false);
  const bool closes = c.body_remaining == 0 || next_exceeds_window(s, c);
  const size_t tail = closes ? std::min(c.pipe_bytes, limits::kRecordPlaintextBytes) : 0;
  if (c.pipe_bytes > tail) return stream_splice(s, c, c.pipe_bytes - tail);
  // Pages in the pipe are the file's own: one that was cut or rewritten meanwhile must not end as
  // if it were whole.
  if (c.body_remaining == 0 && !files::unchanged(*c.file)) return {os::Io::Failed, 0, ESTALE};
  if (pipe_to_output(s, c) != Source::Ready) return {os::Io::Failed, 0, EIO};
  return stream_send_output(s, c, /*more=*/false);
}

bool piece_in_hand(const Connection& c) {
  if (c.pipe_bytes > 0 && c.offloaded) return true;
  return !c.output.empty() || (c.session && c.session->unsent_bytes() > 0);
}

}  // namespace

Turn splice(Services& s, Connection& c) {
  for (int piece = 0; piece < limits::kPiecesPerTurn; piece++) {
    if (!piece_in_hand(c)) {
      if (c.body_remaining == 0 && c.pipe_bytes == 0) return finish_response(s, c);
      const Source source = c.offloaded ? fill(s, c) : fill_output(s, c);
      if (source == Source::Waiting) return Turn::Wait;
      if (source != Source::Ready) {
        // The length promised cannot be sent: end visibly, without close_notify.
        abort(s, c, Ending::Aborted);
        return Turn::Again;
      }
    }
    if (c.offloaded && record_limit_reached(s, c)) {
      s.figures.record_limit_closes.add();
      abort(s, c, Ending::Aborted);
      return Turn::Again;
    }
    if (!c.writable) return Turn::Wait;
    if (c.offloaded && over_window(s, c, c.pipe_bytes + c.output.size())) {
      s.tick(c);
      return Turn::Wait;
    }
    const os::Moved moved = send_piece(s, c);
    if (moved.io == os::Io::WouldBlock) {
      s.tick(c);
      return Turn::Wait;
    }
    if (moved.io != os::Io::Done) return give_up_sending(s, c, moved.error);
  }
  return Turn::Yield;
}

}  // namespace spliced::conn
