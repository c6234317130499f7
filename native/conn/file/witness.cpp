// SPDX-License-Identifier: Apache-2.0
// See witness.hpp.
#include "conn/file/witness.hpp"

#include <algorithm>
#include <cstring>

#include "base/assert.hpp"
#include "conn/file/file_body.hpp"
#include "conn/transport.hpp"
#include "files/residency.hpp"

namespace spliced::conn {
namespace {

using Sample = Witness::Sample;

// Reads from the page cache. The pages of the pipe are there, even if the file system cannot tell.
os::Moved read_now(Request& r, uint64_t offset, char* out, size_t bytes) {
  const os::Moved got = files::read_resident(*r.file, offset, out, bytes);
  if (got.io != os::Io::WouldBlock || r.pipe_bytes == 0) return got;
  return os::read_file(r.file->fd.get(), offset, out, bytes);
}

// Samples are spread over the file. The ranges of a body may go backwards.
bool is_due(const Request& r, uint64_t offset) {
  if (!r.witness || r.witness->count == 0) return true;
  const Witness& w = *r.witness;
  const uint64_t stride =
      std::max<uint64_t>(limits::kPieceBytes, r.file->size() / limits::kWitnessesMax);
  return w.count < limits::kWitnessesMax && offset - w.samples[w.count - 1].offset >= stride;
}

void remember(Request& r, uint64_t offset, const char* content, size_t bytes) {
  if (!r.witness) r.witness = std::make_unique<Witness>();
  Sample& sample = r.witness->samples[r.witness->count++];
  sample.offset = offset;
  sample.bytes = bytes;
  std::memcpy(sample.content, content, bytes);
}

Verdict compare(Request& r, const char* found, size_t bytes) {
  const Sample& sample = r.witness->samples[r.witness->compared++];
  const bool same = bytes == sample.bytes && std::memcmp(found, sample.content, bytes) == 0;
  return same ? Verdict::Same : Verdict::Changed;
}

Verdict begin_read(Services& s, Request& r, const Sample& sample) {
  SPLICED_ASSERT(r.pipe_bytes == 0);
  (void)begin_fill(s, r, sample.offset, sample.bytes);
  return Verdict::Waiting;
}

// Takes the sample that the ring has read.
Verdict finish_read(Request& r) {
  r.async_done = false;
  if (r.async_result <= 0) return Verdict::Changed;
  char found[limits::kWitnessBytes];
  const os::Moved got = os::pipe_to_memory(r.pipe.read_end.get(), found, sizeof found);
  return got.io == os::Io::Done ? compare(r, found, got.bytes) : Verdict::Changed;
}

Verdict compare_next(Services& s, Request& r) {
  if (r.async_done) return finish_read(r);
  const Sample& sample = r.witness->samples[r.witness->compared];
  char found[limits::kWitnessBytes];
  const os::Moved got = files::read_resident(*r.file, sample.offset, found, sample.bytes);
  if (got.io == os::Io::WouldBlock) return begin_read(s, r, sample);
  return got.io == os::Io::Done ? compare(r, found, got.bytes) : Verdict::Changed;
}

}  // namespace

void witness_progress(Request& r) {
  if (!r.file || r.body_remaining == 0) return;
  const size_t bytes =
      static_cast<size_t>(std::min<uint64_t>(limits::kWitnessBytes, r.body_offset));
  const uint64_t offset = r.body_offset - bytes;
  if (bytes == 0 || !is_due(r, offset)) return;
  char content[limits::kWitnessBytes];
  const os::Moved got = read_now(r, offset, content, bytes);
  if (got.io == os::Io::Done) remember(r, offset, content, got.bytes);
}

void witness_bytes(Request& r, uint64_t offset, const char* content, size_t bytes) {
  if (bytes == 0 || !is_due(r, offset)) return;
  remember(r, offset, content, std::min(bytes, limits::kWitnessBytes));
}

bool is_judging(const Request& r) {
  return r.witness && r.witness->comparing;
}

Verdict judge_file(Services& s, Request& r) {
  if (r.filling) return Verdict::Waiting;
  if (!is_judging(r)) {
    switch (files::compare(*r.file, r.body_offset)) {
      case files::Since::Unchanged:
        return Verdict::Same;
      case files::Since::Shorter:
        return Verdict::Changed;
      case files::Since::Touched:
        break;
    }
    if (!r.witness) return Verdict::Same;
    r.witness->comparing = true;
    r.witness->compared = 0;
  }
  while (r.witness->compared < r.witness->count) {
    const Verdict verdict = compare_next(s, r);
    if (verdict != Verdict::Same) return verdict;
  }
  r.witness->comparing = false;
  return Verdict::Same;
}

}  // namespace spliced::conn
