// SPDX-License-Identifier: Apache-2.0
// Where the next bytes of a response's body come from: the page cache, or, where the file is not
// there, a pipe into which the ring reads it off this thread. For splice.cpp, which sends them.
#pragma once
#include <cstddef>
#include <cstdint>

#include "conn/services.hpp"

namespace spliced::conn {

enum class Source : uint8_t {
  Ready,
  Waiting,  // for the ring, or a tick
  Changed,  // the file was cut or rewritten under our feet
  Failed,
};

// Kernel TLS: the next bytes are in the page cache (r.resident_bytes), or in the pipe.
Source find_bytes(Services& s, Request& r);
// User-space TLS: the next record's plaintext is in the output; at most so many bytes of it.
Source next_record(Services& s, Request& r, size_t bytes_max = limits::kRecordPlaintextBytes);
// The next `bytes`, one record at most, into the output. The body's last ones are Ready when
// judge_body() says so.
Source fill_output(Services& s, Request& r, size_t bytes);
// The ring is to read [offset, offset + bytes) of the file into r.pipe, which is empty. False:
// there is no descriptor for a pipe, and a tick tries again.
bool begin_fill(Services& s, Request& r, uint64_t offset, size_t bytes);
// What went to the socket are the file's own pages: one that was cut or rewritten meanwhile must
// not end as if it were whole. After Waiting: once more.
Source judge_body(Services& s, Request& r);

}  // namespace spliced::conn
