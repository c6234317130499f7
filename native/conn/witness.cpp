// SPDX-License-Identifier: Apache-2.0
// See witness.hpp.
#include "conn/witness.hpp"

#include <algorithm>
#include <cstring>

#include "base/assert.hpp"
#include "conn/dispatch.hpp"
#include "files/residency.hpp"

namespace spliced::conn {
namespace {

using Sample = Witness::Sample;

// Pages that the pipe holds are in the page cache, also where nobody can tell.
os::Moved read_now(Connection& c, uint64_t offset, char* out, size_t bytes) {
  const os::Moved got = files::read_resident(*c.request.file, offset, out, bytes);
  if (got.io != os::Io::WouldBlock || c.request.pipe_bytes == 0) return got;
  return os::read_file(c.request.file->fd.get(), offset, out, bytes);
}

// Spread over the file; the ranges of a body may go backwards.
bool is_due(const Connection& c, uint64_t offset) {
  if (!c.request.witness || c.request.witness->count == 0) return true;
  const Witness& w = *c.request.witness;
  const uint64_t stride =
      std::max<uint64_t>(limits::kPieceBytes, c.request.file->size() / limits::kWitnessesMax);
  return w.count < limits::kWitnessesMax && offset - w.samples[w.count - 1].offset >= stride;
}

void remember(Connection& c, uint64_t offset, const char* content, size_t bytes) {
  if (!c.request.witness) c.request.witness = std::make_unique<Witness>();
  Sample& sample = c.request.witness->samples[c.request.witness->count++];
  sample.offset = offset;
  sample.bytes = bytes;
  std::memcpy(sample.content, content, bytes);
}

Verdict compare(Connection& c, const char* found, size_t bytes) {
  const Sample& sample = c.request.witness->samples[c.request.witness->compared++];
  const bool same = bytes == sample.bytes && std::memcmp(found, sample.content, bytes) == 0;
  return same ? Verdict::Same : Verdict::Changed;
}

Verdict begin_read(Services& s, Connection& c, const Sample& sample) {
  SPLICED_ASSERT(c.request.pipe_bytes == 0);
  if (!c.request.pipe) c.request.pipe = s.pipes.take();
  if (!c.request.pipe) {  // out of descriptors: another connection will give one back
    s.tick(c);
    return Verdict::Waiting;
  }
  c.request.filling = true;
  c.request.async_done = false;
  c.inflight++;
  s.ring.fill_pipe(c.request.file->fd.get(), sample.offset, c.request.pipe.write_end.get(),
                   sample.bytes, token_of(c, ring::Kind::FillPipe));
  return Verdict::Waiting;
}

// What the ring has read of the sample that is next.
Verdict finish_read(Connection& c) {
  c.request.async_done = false;
  if (c.request.async_result <= 0) return Verdict::Changed;
  char found[limits::kWitnessBytes];
  const os::Moved got = os::pipe_to_memory(c.request.pipe.read_end.get(), found, sizeof found);
  return got.io == os::Io::Done ? compare(c, found, got.bytes) : Verdict::Changed;
}

Verdict compare_next(Services& s, Connection& c) {
  if (c.request.async_done) return finish_read(c);
  const Sample& sample = c.request.witness->samples[c.request.witness->compared];
  char found[limits::kWitnessBytes];
  const os::Moved got = files::read_resident(*c.request.file, sample.offset, found, sample.bytes);
  if (got.io == os::Io::WouldBlock) return begin_read(s, c, sample);
  return got.io == os::Io::Done ? compare(c, found, got.bytes) : Verdict::Changed;
}

}  // namespace

void witness_progress(Connection& c) {
  if (!c.request.file || c.request.body_remaining == 0) return;
  const size_t bytes =
      static_cast<size_t>(std::min<uint64_t>(limits::kWitnessBytes, c.request.body_offset));
  const uint64_t offset = c.request.body_offset - bytes;
  if (bytes == 0 || !is_due(c, offset)) return;
  char content[limits::kWitnessBytes];
  const os::Moved got = read_now(c, offset, content, bytes);
  if (got.io == os::Io::Done) remember(c, offset, content, got.bytes);
}

void witness_bytes(Connection& c, uint64_t offset, const char* content, size_t bytes) {
  if (bytes == 0 || !is_due(c, offset)) return;
  remember(c, offset, content, std::min(bytes, limits::kWitnessBytes));
}

bool is_judging(const Connection& c) {
  return c.request.witness && c.request.witness->comparing;
}

Verdict judge_file(Services& s, Connection& c) {
  if (c.request.filling) return Verdict::Waiting;
  if (!is_judging(c)) {
    switch (files::compare(*c.request.file, c.request.body_offset)) {
      case files::Since::Unchanged:
        return Verdict::Same;
      case files::Since::Shorter:
        return Verdict::Changed;
      case files::Since::Touched:
        break;
    }
    if (!c.request.witness) return Verdict::Same;
    c.request.witness->comparing = true;
    c.request.witness->compared = 0;
  }
  while (c.request.witness->compared < c.request.witness->count) {
    const Verdict verdict = compare_next(s, c);
    if (verdict != Verdict::Same) return verdict;
  }
  c.request.witness->comparing = false;
  return Verdict::Same;
}

}  // namespace spliced::conn
