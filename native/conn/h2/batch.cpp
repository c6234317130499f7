// SPDX-License-Identifier: Apache-2.0
// See batch.hpp. While frames are collected nothing else has its turn: it would come before them,
// or, of one of their streams, be judged before they are read.
#include "conn/h2/batch.hpp"

#include <errno.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "conn/file/witness.hpp"
#include "conn/h2/mux.hpp"
#include "conn/transport.hpp"
#include "os/framed_pages.hpp"

namespace spliced::conn {
namespace {

// One alone is cheaper without a pipe. A quarter of the window stays for an open record, and for
// what the cipher still has.
constexpr size_t kFramesWorthIt = 2;

size_t frames_most(const Services& s) {
  const uint64_t bytes = s.options.pending_window_bytes / 4 * 3;
  return static_cast<size_t>(
      std::min<uint64_t>(limits::kFramesPerCall, bytes / limits::kRecordPlaintextBytes));
}

os::Moved fill_pipe(Services& s, Batch& b) {
  if (b.count < kFramesWorthIt) return {os::Io::WouldBlock, 0, 0};
  b.pipe = s.frame_pipes.take();
  if (!b.pipe) return {os::Io::WouldBlock, 0, 0};
  char* head = b.heads.take(b.count * h2::kFrameHeadBytes);
  if (head == nullptr) return {os::Io::WouldBlock, 0, 0};
  os::FramedPages pieces[limits::kFramesPerCall];
  for (size_t i = 0; i < b.count; i++) {
    const Batch::Frame& frame = b.frames[i];
    std::memcpy(head, frame.head, sizeof frame.head);
    const files::File& file = *frame.stream->request.file;
    pieces[i] = {head, sizeof frame.head, file.fd.get(), file.number, frame.offset, frame.bytes};
    head += sizeof frame.head;
  }
  s.mapped_windows.begin_call(s.now_ms);
  return os::framed_pages_to_pipe(b.pipe.write_end.get(), s.mapped_windows, pieces, b.count);
}

// The file's bytes that the pipe has not taken are the request's again.
void take_back(Batch::Frame& frame, size_t& taken) {
  const size_t of_head = std::min(taken, h2::kFrameHeadBytes);
  SPLICED_ASSERT(of_head == 0 || of_head == h2::kFrameHeadBytes);
  taken -= of_head;
  frame.head_piped = of_head > 0;
  const size_t of_payload = std::min(taken, frame.bytes);
  taken -= of_payload;
  frame.bytes -= of_payload;
  frame.stream->request.take_back(frame.bytes);
}

// A file that was cut is told from a file system, or a policy, that has no such way.
bool is_in_vain(const os::Moved& moved) {
  return moved.io == os::Io::Failed && moved.error != EFAULT && moved.error != ENOMEM;
}

}  // namespace

bool batch_is_full(const Services& s, const Mux& m) {
  return m.batch.count > 0 && m.batch.count >= frames_most(s);
}

bool may_collect(const Services& s, const Mux& m, const Stream& st) {
  const Request& r = st.request;
  return frames_most(s) >= kFramesWorthIt && !batch_is_full(s, m) && m.c.edges.writable &&
         m.c.output.empty() && r.pipe_bytes == 0 && r.file->maps;
}

void collect(Mux& m, Stream& st, const char* head, size_t bytes) {
  Batch& b = m.batch;
  Request& r = st.request;
  Batch::Frame& frame = b.frames[b.count++];
  frame = {&st, {}, false, r.body_offset, bytes};
  std::memcpy(frame.head, head, sizeof frame.head);
  b.bytes += h2::kFrameHeadBytes + bytes;
  r.advance(bytes);
  r.resident_bytes -= bytes;
}

void close_batch(Services& s, Mux& m) {
  Batch& b = m.batch;
  b.closed = true;
  const os::Moved moved = fill_pipe(s, b);
  b.piped = moved.bytes;
  size_t taken = moved.bytes;
  b.left_over = b.count;
  for (size_t i = 0; i < b.count; i++) {
    Batch::Frame& frame = b.frames[i];
    const size_t payload = frame.bytes;
    take_back(frame, taken);
    s.figures.spliced_bytes.add(payload - frame.bytes);
    if (frame.bytes > 0) b.left_over = std::min(b.left_over, i);
    if (is_in_vain(moved)) frame.stream->request.file->maps = false;
  }
  for (size_t i = 0; i < b.left_over; i++) witness_progress(b.frames[i].stream->request);
}

void send_left_over(Services& s, Mux& m) {
  Batch& b = m.batch;
  const Batch::Frame& frame = b.frames[b.left_over++];
  m.sender = frame.stream;
  m.frame_left = frame.bytes;
  if (frame.head_piped) return;
  Span& output = m.c.output;
  output.hold(s.buffers);
  std::memcpy(output.tail(), frame.head, sizeof frame.head);
  output.end += sizeof frame.head;
}

void end_batch(Services& s, Mux& m) {
  Batch& b = m.batch;
  if (b.pipe) s.frame_pipes.give(std::move(b.pipe), b.piped == 0);
  b.count = b.bytes = b.left_over = b.piped = 0;
  b.closed = false;
  for (Stream* st : m.streams)
    if (std::exchange(st->waits_for_batch, false)) m.wake(*st);
}

}  // namespace spliced::conn
