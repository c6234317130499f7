// SPDX-License-Identifier: Apache-2.0
// See file_body.hpp.
#include "conn/file/file_body.hpp"

#include <algorithm>

#include "conn/transport.hpp"
#include "files/residency.hpp"

namespace spliced::conn {
namespace {

Source begin_cold_fill(Services& s, Request& r) {
  const uint64_t wanted = std::min<uint64_t>(limits::kPieceBytes, r.body_remaining);
  if (begin_fill(s, r, r.body_offset, static_cast<size_t>(wanted)))
    s.figures.files.cold_fills.add();
  return Source::Waiting;
}

// Takes what the ring has read since the last turn.
Source finish_cold_fill(Request& r) {
  r.async_done = false;
  if (r.async_result == 0) return Source::Changed;
  if (r.async_result < 0) return Source::Failed;
  r.pipe_bytes = static_cast<size_t>(r.async_result);
  r.advance(r.pipe_bytes);
  return Source::Ready;
}

}  // namespace

bool begin_fill(Services& s, Request& r, uint64_t offset, size_t bytes) {
  if (!r.pipe) r.pipe = s.pipes.take();
  if (!r.pipe) {  // out of descriptors, until another connection returns one
    tick(s, r);
    return false;
  }
  r.filling = true;
  r.async_done = false;
  s.ring.fill_pipe(r.file->fd.get(), offset, r.pipe.write_end.get(), bytes,
                   begin_operation(r, ring::Kind::FillPipe));
  return true;
}

Source find_bytes(Services& s, Request& r) {
  if (r.filling) return Source::Waiting;
  if (r.async_done) {
    const Source source = finish_cold_fill(r);
    if (source == Source::Ready) witness_progress(r);
    return source;
  }
  for (const size_t reach : {limits::kBurstBytes, limits::kPieceBytes}) {
    const size_t bytes = static_cast<size_t>(std::min<uint64_t>(reach, r.body_remaining));
    if (!files::resident(*r.file, r.body_offset, bytes)) continue;
    r.resident_bytes = bytes;
    return Source::Ready;
  }
  return begin_cold_fill(s, r);
}

Source judge_body(Services& s, Request& r) {
  switch (judge_file(s, r)) {
    case Verdict::Same:
      return Source::Ready;
    case Verdict::Waiting:
      return Source::Waiting;
    case Verdict::Changed:
      break;
  }
  return Source::Changed;
}

Source fill_output(Services& s, Request& r, size_t bytes) {
  Span& output = output_of(r);
  output.hold(s.buffers);
  os::Moved got;
  if (r.pipe_bytes > 0) {
    got = os::pipe_to_memory(r.pipe.read_end.get(), output.tail(), bytes);
    if (got.io == os::Io::Done) r.pipe_bytes -= got.bytes;
  } else {
    got = files::read_resident(*r.file, r.body_offset, output.tail(), bytes);
    if (got.io == os::Io::WouldBlock) return begin_cold_fill(s, r);
    if (got.io == os::Io::Eof) return Source::Changed;
    if (got.io == os::Io::Done) r.advance(got.bytes);
  }
  if (got.io != os::Io::Done) return Source::Failed;
  const bool ends = r.pipe_bytes + r.body_remaining == 0;
  const uint64_t offset = r.body_offset - r.pipe_bytes - got.bytes;
  if (!ends) witness_bytes(r, offset, output.tail(), got.bytes);
  output.end += got.bytes;
  return ends ? judge_body(s, r) : Source::Ready;
}

Source next_record(Services& s, Request& r, size_t bytes_max) {
  if (r.filling) return Source::Waiting;
  if (r.async_done) {
    const Source source = finish_cold_fill(r);
    if (source != Source::Ready) return source;
  }
  const uint64_t there = r.pipe_bytes > 0 ? r.pipe_bytes : r.body_remaining;
  return fill_output(s, r, static_cast<size_t>(std::min<uint64_t>(bytes_max, there)));
}

}  // namespace spliced::conn
