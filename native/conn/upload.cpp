// SPDX-License-Identifier: Apache-2.0
// State::Receive; see upload.hpp. A turn reads into one pipe as much as there is, hands it to the
// ring if that has none, and comes to an end when every byte that has come is written.
#include "conn/upload.hpp"

#include <errno.h>

#include <algorithm>

#include "base/assert.hpp"
#include "conn/input.hpp"
#include "conn/send_failure.hpp"
#include "conn/stream.hpp"
#include "conn/transport.hpp"

namespace spliced::conn {
namespace {

using End = Upload::End;

constexpr unsigned places_of(size_t bytes) {
  return static_cast<unsigned>(bytes / 4096) + 2;
}

void refuse(Upload& u, uint16_t status, std::string words) {
  if (u.end != End::None && u.end != End::Whole) return;
  u.end = End::Refusal;
  u.status = status;
  u.words = std::move(words);
}

void took(Upload& u, size_t bytes) {
  u.filling.bytes += bytes;
  u.left -= bytes;
  u.bytes += bytes;
  if (u.left == 0 && u.end == End::None) u.end = End::Whole;
}

// What is in the input buffer, to the pipe. False: the pipe is full.
bool take_input(Request& r) {
  Upload& u = *r.upload;
  Span& input = input_of(r);
  const size_t bytes = static_cast<size_t>(std::min<uint64_t>(input.size(), u.left));
  const os::Moved moved = os::memory_to_pipe(u.filling.pipe.write_end.get(), input.data(), bytes);
  if (moved.io != os::Io::Done) return false;
  input.begin += moved.bytes;
  if (input.empty()) input.begin = input.end = 0;
  u.filling.used += places_of(moved.bytes);
  took(u, moved.bytes);
  return moved.bytes == bytes;
}

// One record's data from the socket to the pipe. False: it is not to be had so.
bool splice_record(Services& s, Request& r) {
  Connection& c = *r.connection;
  Upload& u = *r.upload;
  const os::Moved moved = os::socket_to_pipe(
      c.socket, u.filling.pipe.write_end.get(),
      static_cast<size_t>(std::min<uint64_t>(u.left, limits::kRecordPlaintextBytes)));
  if (moved.io == os::Io::WouldBlock) c.readable = false;
  if (moved.io == os::Io::Done) {
    u.filling.used += limits::kPipePlacesPerRecord;
    s.figures.received_spliced_bytes.add(moved.bytes);
    if (count_received(s, c, moved.bytes))
      refuse(u, 503, "this connection's key has been used enough; go on over a new connection");
    took(u, moved.bytes);
  }
  // A control record, the end of the stream or an error: recvmsg has it, too.
  return moved.io == os::Io::Done || moved.io == os::Io::WouldBlock;
}

void read_record(Services& s, Request& r) {
  Upload& u = *r.upload;
  Connection& c = *r.connection;
  c.input.hold(s.buffers);
  c.input.begin = c.input.end = 0;
  const os::Received got = stream_read(c, c.input.tail(), c.input.room());
  if (got.io == os::Io::WouldBlock) return;
  if (got.io == os::Io::Done && got.type == os::RecordType::ApplicationData) {
    c.input.end += got.bytes;
    if (count_received(s, c, got.bytes))
      refuse(u, 503, "this connection's key has been used enough; go on over a new connection");
    return;
  }
  u.end = End::Received;
  u.received = got;
}

// Fills the pipe with what there is. True: there may be more, but it was enough for one turn.
bool fill(Services& s, Request& r) {
  Upload& u = *r.upload;
  const bool spliced = r.connection->offloaded && s.kernel.splices_received &&
                       u.places > limits::kPipePlacesPerRecord;
  for (int records = 0; u.end == End::None; records++) {
    if (records == limits::kUploadRecordsPerTurn) return true;
    if (!input_of(r).empty()) {
      if (!take_input(r)) return false;
    } else if (!r.connection->readable) {
      return false;
    } else if (spliced && u.filling.used + limits::kPipePlacesPerRecord > u.places) {
      return false;
    } else if (!spliced || !splice_record(s, r)) {
      read_record(s, r);
    }
  }
  return false;
}

// Gives the ring what is there. Nothing is read any more after a write that failed.
void write(Services& s, Request& r) {
  Upload& u = *r.upload;
  if (u.in_flight) return;
  if (u.writing.bytes == 0) std::swap(u.writing, u.filling);
  if (u.writing.bytes == 0) return;
  if (!u.ticket->begin_write(u.claim, s.now_ms)) {
    u.writing.bytes = u.filling.bytes = 0;
    return refuse(u, 409, "another connection goes on with this upload, or it was given up");
  }
  u.in_flight = true;
  s.ring.drain_pipe(u.writing.pipe.read_end.get(), u.ticket->file(), u.offset, u.writing.bytes,
                    begin_operation(r, ring::Kind::DrainPipe));
}

void refuse_write(Upload& u, int error) {
  u.writing.bytes = u.filling.bytes = 0;
  u.end = End::None;
  if (error == ENOSPC || error == EDQUOT || error == EFBIG)
    return refuse(u, 507, "there is no space left on the device; make room and go on");
  refuse(u, 500, "the part cannot be written (errno " + std::to_string(error) + ")");
}

// Sends what is in the output buffer: 100 (Continue). False: the state has changed, or must wait.
bool send_continue(Services& s, Request& r, Turn& turn) {
  Connection& c = *r.connection;
  turn = Turn::Wait;
  if (output_of(r).empty()) return true;
  if (!c.writable) return false;
  const os::Moved moved = stream_send_output(s, c, /*more=*/false);
  if (moved.io == os::Io::Done) return true;
  if (moved.io == os::Io::WouldBlock) {
    tick(s, r);
  } else {
    turn = give_up_sending(s, c, moved.error);
  }
  return false;
}

// Every byte that came is in the file.
Turn conclude(Services& s, Request& r) {
  Upload& u = *r.upload;
  if (u.end == End::Received) {
    Turn turn = Turn::Again;
    (void)take_received(s, *r.connection, u.received, turn);
    if (state_of(r) == State::Receive) {
      u.end = End::None;  // a warning, which changes nothing
    } else {
      r.upload.reset();
    }
    return turn;
  }
  const std::shared_ptr<upload::Ticket> ticket = u.ticket;
  if (u.end == End::Refusal) {
    const std::unique_ptr<Upload> ended = std::move(r.upload);
    r.keep_alive = false;
    respond_upload(s, r, ended->status, ended->words, ticket.get());
    return Turn::Again;
  }
  const bool whole = ticket->offset() == ticket->length();
  if (u.settle_began_ms == 0) {
    u.settle_began_ms = s.now_ms;
    ticket->release(u.claim, /*whole=*/true);
  }
  const bool waits = whole && s.now_ms - u.settle_began_ms < limits::kUploadSettleMs;
  if (waits && !ticket->outcome()) {
    tick(s, r);
    return Turn::Wait;
  }
  r.upload.reset();
  if (s.stopping) r.keep_alive = false;
  respond_received(s, r, *ticket);
  return Turn::Again;
}

}  // namespace

void upload_written(Request& r, int32_t result) {
  Upload& u = *r.upload;
  u.in_flight = false;
  u.ticket->end_write(u.claim, result);
  if (result <= 0) return refuse_write(u, result < 0 ? -result : EIO);
  const size_t bytes = static_cast<size_t>(result);
  SPLICED_ASSERT(bytes <= u.writing.bytes);
  u.offset += bytes;
  u.writing.bytes -= bytes;
  if (u.writing.bytes == 0) u.writing.used = 0;
}

Turn receive_upload(Services& s, Request& r) {
  Upload& u = *r.upload;
  Turn turn;
  if (!send_continue(s, r, turn)) return turn;
  if (s.stopping && u.end == End::None)
    refuse(u, 503, "the service stops; go on with the upload when it is back");
  const bool more = u.end == End::None && fill(s, r);
  write(s, r);
  if (u.in_flight) return more ? Turn::Yield : Turn::Wait;
  if (u.end != End::None && u.filling.bytes + u.writing.bytes == 0) return conclude(s, r);
  return u.end != End::None || more ? Turn::Yield : Turn::Wait;
}

void on_upload_deadline(Services& s, Request& r) {
  Upload& u = *r.upload;
  const uint64_t elapsed_ms = s.now_ms - u.marked_ms;
  const bool ours = u.in_flight || u.settle_began_ms != 0;  // the disk's time, not the client's
  const uint64_t bytes = u.bytes - u.bytes_mark;
  const bool enough = bytes > 0 && bytes >= elapsed_ms * s.options.send_rate_min_bytes_per_s / 1000;
  set_deadline(s, r, s.now_ms + s.options.stall_timeout_ms);
  if (ours || enough) {
    u.marked_ms = s.now_ms;
    u.bytes_mark = u.bytes;
    return;
  }
  s.figures.overdue[static_cast<size_t>(Overdue::Stall)].add();
  if (!output_of(r).empty()) return abort(s, r, Ending::Aborted);
  refuse(u, 408, "the upload has stalled; go on over a new connection");
}

}  // namespace spliced::conn
