// SPDX-License-Identifier: Apache-2.0
// Whether the bytes that were sent of a file are still those of the file. It is checked before the
// last record leaves, because the socket was given the file's own pages. Time stamps tell that
// something changed, but not what: an append, a touch, a link, a rename or an attribute change no
// promised byte. So a few bytes are remembered on the way, of data that passes through memory and
// where a response pauses. They are compared at the end if the file's identity has changed
// meanwhile. docs/HTTP.md relies on this.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/limits.hpp"

namespace spliced::conn {

struct Services;
struct Request;

struct Witness {
  struct Sample {
    uint64_t offset = 0;
    size_t bytes = 0;
    char content[limits::kWitnessBytes];
  };
  Sample samples[limits::kWitnessesMax];
  size_t count = 0;
  size_t compared = 0;     // samples that have been, once `comparing`
  bool comparing = false;  // the last record is in the output and waits for the verdict
};

enum class Verdict : uint8_t {
  Same,
  Waiting,  // for the disk: the ring reads a sample into r.pipe
  Changed,  // bytes that were sent, or promised, are the file's no more
};

// Remembers the bytes before r.body_offset, if it is time for a sample. They have just been
// read: nothing is remembered where nobody can tell what is in the page cache, unless a pipe holds
// them.
void witness_progress(Request& r);

// The same of bytes that came to memory on their way: [offset, offset + bytes) of r.file,
// which are not the last of the body.
void witness_bytes(Request& r, uint64_t offset, const char* content, size_t bytes);

// All of the range is sent, or in the output, and r.pipe is empty. After Waiting: once more,
// when the ring has answered.
Verdict judge_file(Services& s, Request& r);
bool is_judging(const Request& r);

}  // namespace spliced::conn
