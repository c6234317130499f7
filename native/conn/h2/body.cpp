// SPDX-License-Identifier: Apache-2.0
// What is next of a stream's response, when it is its turn at the wire: bytes from memory, or pages
// of a file, in the page cache or in a pipe, that the kernel sends itself. The last frame's bytes,
// with END_STREAM, come from memory behind the witness's verdict (witness.hpp): a file that changed
// under our feet ends as a stream that was reset.
#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.hpp"
#include "conn/file/file_body.hpp"
#include "conn/h2/mux.hpp"
#include "conn/proxy/exchange.hpp"
#include "conn/transport.hpp"
#include "files/residency.hpp"

namespace spliced::conn {
namespace {

using h2::Piece;

bool has_pipe(const Request& r) {
  return r.filling || r.async_done || r.pipe_bytes > 0;
}

bool has_free_pipe(const Mux& m) {
  size_t pipes = 0;
  for (const Stream* st : m.streams)
    if (has_pipe(st->request)) pipes++;
  return pipes < limits::kStreamPipesMax;
}

// A cold file would be read into a pipe, and its connection's others have all that it may have.
bool lacks_pipe(const Mux& m, Request& r) {
  if (has_pipe(r) || has_free_pipe(m)) return false;
  const auto bytes =
      static_cast<size_t>(std::min<uint64_t>(limits::kFramePayloadBytes, r.body_remaining));
  return !files::resident(*r.file, r.body_offset, bytes);
}

bool is_whole(const Stream& st) {
  const Request& r = st.request;
  if (r.exchange && !r.exchange->response_over) return false;
  return r.pipe_bytes + r.body_remaining == 0 && !r.parts;
}

Piece from_memory(Mux& m, Stream& st, size_t most) {
  const size_t room = m.c.output.room() - h2::kFrameHeadBytes;
  const size_t bytes = std::min({st.output.size(), most, room});
  st.direct = false;
  return {Piece::Verdict::Ready, bytes, bytes == st.output.size() && is_whole(st)};
}

// So much of what is in hand that the frame ends with a record.
Piece from_file(const Services& s, const Mux& m, Stream& st, size_t most) {
  const Connection& c = m.c;
  Request& r = st.request;
  const size_t in_hand = r.pipe_bytes > 0 ? r.pipe_bytes : r.resident_bytes;
  size_t bytes = std::min({in_hand, most, limits::kFramePayloadBytes});
  const size_t before = c.pending.open_record_bytes + m.batch.bytes + c.output.size();
  const size_t end = before + h2::kFrameHeadBytes + bytes;
  const size_t over = end % limits::kRecordPlaintextBytes;
  if (bytes > over) bytes -= over;
  st.direct = true;
  st.collected = may_collect(s, m, st);
  return {Piece::Verdict::Ready, bytes, false};
}

Piece unready(Source source) {
  return {source == Source::Waiting ? Piece::Verdict::Later : Piece::Verdict::Failed, 0, false};
}

// The same beside frames that are being collected: pages that are there, not the last.
Piece next_collected(Services& s, const Mux& m, Stream& st, size_t most) {
  Request& r = st.request;
  const bool is_file = st.output.empty() && !r.exchange && !is_judging(r) && !has_pipe(r);
  if (is_file && r.body_remaining > limits::kFramePayloadBytes && may_collect(s, m, st)) {
    if (st.resident_turn != s.turn) r.resident_bytes = 0;
    st.resident_turn = s.turn;
    const bool is_there =
        r.resident_bytes > 0 || (!lacks_pipe(m, r) && find_bytes(s, r) == Source::Ready);
    if (is_there) return from_file(s, m, st, most);
  }
  st.waits_for_batch = true;
  return {};
}

Piece find_piece(Services& s, Mux& m, Stream& st, size_t most) {
  Request& r = st.request;
  if (m.batch.collects()) return next_collected(s, m, st, most);
  if (is_judging(r)) {
    const Source source = judge_body(s, r);
    if (source != Source::Ready) return unready(source);
  }
  for (;;) {
    if (!st.output.empty()) return from_memory(m, st, most);
    if (r.exchange) return {};  // what the backend has said is gone; run_stream() has more
    const uint64_t left = r.pipe_bytes + r.body_remaining;
    if (left == 0 && !r.parts) return {Piece::Verdict::Ready, 0, true};
    if (left == 0) {
      next_part(s, r);
      continue;
    }
    if (lacks_pipe(m, r)) {
      st.wants_pipe = true;
      m.pipe_waiters++;
      return {};
    }
    const bool direct =
        m.c.tls.offloaded && left > limits::kFramePayloadBytes && !m.owes_wait();
    if (!direct || st.resident_turn != s.turn) r.resident_bytes = 0;
    st.resident_turn = s.turn;
    if (direct && r.pipe_bytes + r.resident_bytes > 0) return from_file(s, m, st, most);
    const Source source = direct ? find_bytes(s, r) : next_record(s, r, limits::kFramePayloadBytes);
    if (source != Source::Ready) return unready(source);
  }
}

}  // namespace

bool Mux::give_pipes() {
  if (pipe_waiters == 0 || !has_free_pipe(*this)) return false;
  pipe_waiters = 0;
  for (Stream* st : streams)
    if (std::exchange(st->wants_pipe, false)) wake(*st);
  return true;
}

h2::Piece Mux::next_piece(void* stream, size_t most) {
  Stream& st = *static_cast<Stream*>(stream);
  if (st.closed || st.state == State::Join) return {h2::Piece::Verdict::Failed, 0, false};
  h2::Piece piece = may_send(st, most) ? find_piece(s, *this, st, most) : h2::Piece{};
  st.waits = piece.verdict == h2::Piece::Verdict::Later;
  piece.trailed = piece.ends && !st.trailers.empty();
  if (piece.trailed) submit_trailers(*this, st);
  return piece;
}

void Mux::on_data_frame(void* stream, const char* head, size_t bytes) {
  Stream& st = *static_cast<Stream*>(stream);
  SPLICED_ASSERT(frame_left == 0 && c.output.room() >= h2::kFrameHeadBytes);
  frame_announced = true;
  frame_bytes = bytes + h2::kFrameHeadBytes;
  st.sent_bytes += bytes;
  charge_lane(st, bytes);
  frames.give(limits::kIdleFramesPerData);
  if (bytes > 0 && st.direct && st.collected) return collect(*this, st, head, bytes);
  std::memcpy(c.output.tail(), head, h2::kFrameHeadBytes);
  c.output.end += h2::kFrameHeadBytes;
  if (bytes > 0 && st.direct) {
    sender = &st;
    frame_left = bytes;
    return;
  }
  SPLICED_ASSERT(bytes <= st.output.size() && bytes <= c.output.room());
  if (bytes > 0) std::memcpy(c.output.tail(), st.output.data(), bytes);
  c.output.end += bytes;
  st.output.begin += bytes;
  if (!st.output.empty()) return;
  st.output.release(s.buffers);
  if (st.request.exchange) queue(st);
}

}  // namespace spliced::conn
