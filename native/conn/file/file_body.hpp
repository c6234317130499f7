// SPDX-License-Identifier: Apache-2.0
// Finds the next bytes of a response's body: in the page cache, or, for a file that is not there,
// in a pipe into which the ring reads them off this thread. For splice.cpp, which sends them.
#pragma once
#include <cstddef>
#include <cstdint>

#include "conn/services.hpp"

namespace spliced::conn {

enum class Source : uint8_t {
  Ready,
  Waiting,  // for the ring, or for a tick
  Changed,  // the file was truncated or rewritten meanwhile
  Failed,
};

// With kernel TLS: Ready when the next bytes are in the page cache (r.resident_bytes) or in the
// pipe.
Source find_bytes(Services& s, Request& r);
// With user-space TLS: Ready when the next record's plaintext, at most `bytes_max`, is in the
// output.
Source next_record(Services& s, Request& r, size_t bytes_max = limits::kRecordPlaintextBytes);
// Puts the next `bytes`, at most one record, into the output. For the last ones of a body, Ready
// only after judge_body() has approved.
Source fill_output(Services& s, Request& r, size_t bytes);
// Lets the ring read [offset, offset + bytes) of the file into r.pipe, which is empty. False: there
// is no descriptor for a pipe, and a tick tries again.
bool begin_fill(Services& s, Request& r, uint64_t offset, size_t bytes);
// The socket was given the file's own pages. If the file was truncated or rewritten meanwhile, its
// body must not end as if it were whole. After Waiting: call again.
Source judge_body(Services& s, Request& r);

}  // namespace spliced::conn
