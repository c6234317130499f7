// SPDX-License-Identifier: Apache-2.0
// What a connection with HTTP/2 sends: frames from memory, as many as fit into the output, and a
// DATA frame whose payload is a file's pages behind its header in the same record. The ledger is
// the brake, as for HTTP/1.1.
#include <errno.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "conn/file/file_body.hpp"
#include "conn/h2/mux.hpp"
#include "conn/send_failure.hpp"
#include "conn/stream.hpp"
#include "conn/transport.hpp"
#include "files/residency.hpp"

namespace spliced::conn {
namespace {

// What became of a step. Ended: the state has changed.
enum class Sent : uint8_t { More, Nothing, Blocked, Ended };

// The next frame is likely to be as large as the last one. One that is cut to what room there is
// would cost as much as a whole one.
bool has_room(const Mux& m) {
  if (m.early.is_full(m.c.output.size())) return false;
  return m.c.output.room() >= std::max(limits::kFrameRoomMin, m.frame_bytes);
}

bool fill_output(Services& s, Mux& m) {
  Connection& c = m.c;
  c.output.hold(s.buffers);
  m.frame_bytes = 0;
  m.early.begin(s.now_ms);
  const size_t before = c.output.size();
  while (m.frame_left == 0 && has_room(m) && !batch_is_full(s, m)) {
    (void)m.give_pipes();
    if (m.unsent.empty()) {
      m.frame_announced = false;
      m.unsent = m.session->next();
      if (m.session->failed()) return false;
      if (m.unsent.empty() && !m.frame_announced && !m.give_pipes()) break;
    }
    if (m.batch.collects() && !m.unsent.empty()) break;  // it goes behind those frames
    const size_t bytes = std::min(m.unsent.size(), c.output.room());
    if (bytes > 0) std::memcpy(c.output.tail(), m.unsent.data(), bytes);
    c.output.end += bytes;
    m.unsent.remove_prefix(bytes);
  }
  if (m.batch.collects()) close_batch(s, m);
  if (c.output.size() > before) m.early.filled(s.now_ms, c.output.size() - before);
  if (c.output.empty()) c.output.release(s.buffers);
  return true;
}

void end_frame(Services& s, Mux& m) {
  Stream& st = *m.sender;
  m.sender = nullptr;
  if (std::exchange(m.frame_broken, false)) {
    abort(s, st);
  } else {
    witness_progress(st.request);
  }
}

// The payload is in hand in the turn in which its header is written. Later the page cache may have
// lost it: then the ring fetches it. False: it waits for that.
bool payload_is_there(Services& s, Mux& m) {
  Stream& st = *m.sender;
  Request& r = st.request;
  if (m.frame_broken || r.pipe_bytes > 0) return true;
  if (!r.filling && !r.async_done && st.resident_turn == s.turn && r.resident_bytes > 0)
    return true;
  r.resident_bytes = 0;
  st.resident_turn = s.turn;
  switch (find_bytes(s, r)) {
    case Source::Ready:
      return true;
    case Source::Waiting:
      return false;
    default:
      m.frame_broken = true;
      return true;
  }
}

// Zeros in the place of what the file has no more, so that the frame ends; then the stream is
// reset.
void fill_frame_up(Services& s, Mux& m) {
  Connection& c = m.c;
  c.output.hold(s.buffers);
  const size_t bytes = std::min(m.frame_left, c.output.room());
  std::memset(c.output.tail(), 0, bytes);
  c.output.end += bytes;
  m.frame_left -= bytes;
  if (m.frame_left == 0) end_frame(s, m);
}

Sent blocked(Services& s, Connection& c) {
  s.tick(c);
  return Sent::Blocked;
}

Sent after(Services& s, Connection& c, const os::Moved& moved) {
  if (moved.io == os::Io::Done) return Sent::More;
  if (moved.io == os::Io::WouldBlock) return blocked(s, c);
  (void)give_up_sending(s, c, moved.error);
  return Sent::Ended;
}

Sent send_payload(Services& s, Mux& m) {
  Connection& c = m.c;
  Request& r = m.sender->request;
  const bool piped = r.pipe_bytes > 0;
  const size_t bytes = std::min(m.frame_left, piped ? r.pipe_bytes : r.resident_bytes);
  // Nobody knows what follows the frame, or when: its record is closed with it.
  const os::Moved moved = piped ? stream_splice(s, r, bytes, /*more=*/bytes < m.frame_left)
                                : stream_send_file(s, r, bytes);
  if (moved.io == os::Io::Eof && !piped) {
    m.frame_broken = true;
    return Sent::More;
  }
  if (moved.io != os::Io::Done) return after(s, c, moved);
  m.unwaited_bytes += moved.bytes;
  m.frame_left -= moved.bytes;
  if (m.frame_left == 0) end_frame(s, m);
  return Sent::More;
}

Sent send_batch(Services& s, Mux& m) {
  Connection& c = m.c;
  Batch& b = m.batch;
  if (!c.edges.writable || over_window(s, c, b.piped)) return blocked(s, c);
  const os::Moved moved = stream_splice_frames(s, c, b.pipe, b.piped);
  if (moved.io == os::Io::Done) {
    m.unwaited_bytes += moved.bytes;
    b.piped -= moved.bytes;
  }
  return after(s, c, moved);
}

// The pipe is empty: what is the next of its frames, or is that all?
void go_on_with_batch(Services& s, Mux& m) {
  if (m.batch.left_over < m.batch.count)
    send_left_over(s, m);
  else
    end_batch(s, m);
}

Sent send_output(Services& s, Mux& m) {
  Connection& c = m.c;
  // In user space the records wait in the session for those that follow, and leave with the last of
  // them, as many as leave by one call.
  if (!c.tls.offloaded) return after(s, c, stream_send_output(s, c, /*more=*/!c.output.empty()));
  const bool more = m.frame_left > 0;
  if (!more) m.unwaited_bytes = 0;
  // Of short records several leave in one turn.
  if (more || m.early.are_short()) return after(s, c, stream_send_output(s, c, more));
  stream_queue_output(s, c);
  return Sent::More;
}

Sent send_once(Services& s, Mux& m) {
  Connection& c = m.c;
  if (c.ops.sending) return Sent::Blocked;
  if (c.ops.send_done) return after(s, c, stream_sent(s, c));
  if (m.batch.count == 0 && m.frame_left == 0 && !fill_output(s, m)) {
    abort(s, c, Ending::Aborted);
    return Sent::Ended;
  }
  if (m.batch.count > 0 && m.batch.piped == 0 && m.frame_left == 0 && c.output.empty()) {
    go_on_with_batch(s, m);
    return Sent::More;
  }
  const bool unsent = !c.output.empty() || m.batch.count > 0 ||
                      (c.tls.session && c.tls.session->unsent_bytes() > 0);
  if (!unsent && m.frame_left == 0) return Sent::Nothing;
  if (!m.busy) start_stall_clock(s, c);
  m.busy = true;
  if (m.batch.piped > 0) return send_batch(s, m);
  if (m.frame_left > 0 && !payload_is_there(s, m)) return Sent::Blocked;
  if (m.frame_broken && c.output.empty()) fill_frame_up(s, m);
  if (!c.edges.writable) return blocked(s, c);
  const size_t bytes = c.output.size() + (m.frame_broken ? 0 : m.frame_left);
  if (c.tls.offloaded && over_window(s, c, bytes)) return blocked(s, c);
  return !c.output.empty() || m.frame_left == 0 || m.frame_broken ? send_output(s, m)
                                                                  : send_payload(s, m);
}

// Under one key only so many records may go: no stream begins any more, then all end.
bool key_is_used_up(Services& s, Mux& m) {
  if (!record_limit_reached(s, m.c)) return false;
  if (!m.going_away) s.figures.record_limit_closes.add();
  m.end_gracefully();
  if (m.c.pending.ledger.sequence_at_most() <
      limits::kRecordsPerKeyMax + limits::kRecordsToEndStreams)
    return false;
  abort(s, m.c, Ending::Aborted);
  return true;
}

}  // namespace

bool Mux::has_unsent() const {
  return c.ops.sending || c.ops.send_done || !c.output.empty() || frame_left > 0 ||
         batch.count > 0 || !unsent.empty() ||
         (c.tls.session && c.tls.session->unsent_bytes() > 0) || session->wants_to_write();
}

bool Mux::owes_wait() const {
  return unwaited_bytes > s.options.pending_window_bytes / 4 && !s.kernel.sendfile_waits &&
         s.asynchronous.test(tls::index_of(*c.tls.cipher));
}

bool send_frames(Services& s, Connection& c, bool& more) {
  Mux& m = *c.h2;
  more = false;
  if (key_is_used_up(s, m)) return false;
  const uint64_t before = c.pending.ledger.plaintext();
  for (;;) {
    switch (send_once(s, m)) {
      case Sent::More:
        break;
      case Sent::Nothing:
        m.busy = false;
        return true;
      case Sent::Blocked:
        return true;
      case Sent::Ended:
        return false;
    }
    more = c.pending.ledger.plaintext() - before >= limits::kBytesPerTurn;
    if (more) return true;
  }
}

}  // namespace spliced::conn
