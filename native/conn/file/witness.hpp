// SPDX-License-Identifier: Apache-2.0
// Decides whether the bytes of a file that were sent are still the file's. That happens before the
// last record leaves, because the socket was given the file's own pages. Time stamps tell that
// something changed, but not what: an append, a touch, a link, a rename or an attribute change no
// promised byte. So a few samples are kept on the way, of data that passes through memory and where
// a response pauses. At the end they are compared if the file's identity has changed meanwhile.
// docs/HTTP.md relies on this.
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
  size_t compared = 0;     // samples compared so far, once `comparing`
  bool comparing = false;  // the last record is in the output and waits for the verdict
};

enum class Verdict : uint8_t {
  Same,
  Waiting,  // the ring reads a sample from the disk into r.pipe
  Changed,  // sent or promised bytes are not in the file any more
};

// Keeps the bytes before r.body_offset, if a sample is due. They have just been read from the page
// cache. If the file system cannot tell what is there, nothing is kept, unless a pipe holds the
// bytes.
void witness_progress(Request& r);

// The same for bytes that have come to memory: [offset, offset + bytes) of r.file, which are not
// the last of the body.
void witness_bytes(Request& r, uint64_t offset, const char* content, size_t bytes);

// To be called when all of the range is sent, or in the output, and r.pipe is empty. After Waiting:
// call again when the ring has answered.
Verdict judge_file(Services& s, Request& r);
bool is_judging(const Request& r);

}  // namespace spliced::conn
