// SPDX-License-Identifier: Apache-2.0
// State::Receive; see upload.hpp. A turn reads what has arrived into one pipe, and gives it to the
// ring if that has none. The upload ends when every byte that arrived is written.
#include "conn/upload/upload.hpp"

#include <errno.h>

#include <algorithm>

#include "base/assert.hpp"
#include "conn/transport.hpp"

namespace spliced::conn {
namespace {

using End = Upload::End;

// Gives a filled lane to the ring. After a failed write nothing more is read.
void write(Services& s, Request& r) {
  Upload& u = *r.upload;
  if (u.in_flight) return;
  if (u.writing.bytes == 0) std::swap(u.writing, u.filling);
  if (u.writing.bytes == 0) return;
  if (!u.ticket->begin_write(u.claim, s.now_ms)) {
    u.writing.bytes = u.filling.bytes = 0;
    return u.refuse(409, "another connection goes on with this upload, or it was given up");
  }
  u.in_flight = true;
  s.ring.drain_pipe(u.writing.pipe.read_end.get(), u.ticket->file(), u.offset, u.writing.bytes,
                    begin_operation(r, ring::Kind::DrainPipe));
}

void refuse_write(Upload& u, int error) {
  u.writing.bytes = u.filling.bytes = 0;
  u.end = End::None;
  if (error == ENOSPC || error == EDQUOT || error == EFBIG)
    return u.refuse(507, "there is no space left on the device; make room and go on");
  u.refuse(500, "the part cannot be written (errno " + std::to_string(error) + ")");
}

// Every received byte is in the file.
Turn conclude(Services& s, Request& r) {
  Upload& u = *r.upload;
  if (u.end == End::Received) return end_input(s, r);
  const std::shared_ptr<upload::Ticket> ticket = u.ticket;
  if (u.end == End::Refusal) {
    const std::unique_ptr<Upload> ended = std::move(r.upload);
    if (!frames_bodies(r)) r.keep_alive = false;
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

void Upload::refuse(uint16_t with, std::string because) {
  if (end != End::None && end != End::Whole) return;
  end = End::Refusal;
  status = with;
  words = std::move(because);
}

void Upload::took(size_t more) {
  filling.bytes += more;
  left -= more;
  bytes += more;
}

void Upload::end_body() {
  if (end == End::None) end = End::Whole;
}

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
  if (r.stream != nullptr) stream_upload_written(r, bytes);
}

bool write_rest(Services& s, Request& r) {
  if (!r.upload) return false;
  if (r.upload->end == End::None || r.upload->end == End::Whole) {
    (void)fill_stream_upload(r);
    write(s, r);
  }
  return r.upload->in_flight;
}

Turn receive_upload(Services& s, Request& r) {
  Upload& u = *r.upload;
  Turn turn;
  if (!send_continue(s, r, turn)) return turn;
  if (s.stopping && u.end == End::None)
    u.refuse(503, "the service stops; go on with the upload when it is back");
  const bool more = u.end == End::None && fill_upload(s, r);
  write(s, r);
  if (u.in_flight) return more ? Turn::Yield : Turn::Wait;
  if (u.end != End::None && u.filling.bytes + u.writing.bytes == 0) return conclude(s, r);
  return u.end != End::None || more ? Turn::Yield : Turn::Wait;
}

void on_upload_deadline(Services& s, Request& r) {
  Upload& u = *r.upload;
  const uint64_t elapsed_ms = s.now_ms - u.marked_ms;
  // The time is the disk's, or that of other bodies, not the client's.
  const bool ours = u.in_flight || u.settle_began_ms != 0 ||
                    (r.stream != nullptr && connection_window_is_shut(r));
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
  u.refuse(408, "the upload has stalled; send the rest with a new request");
}

}  // namespace spliced::conn
