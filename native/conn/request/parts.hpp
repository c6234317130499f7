// SPDX-License-Identifier: Apache-2.0
// The body of a 206 with several ranges: a sequence of pieces from memory (the parts' heads, the
// closing delimiter) and pieces of the file. respond.cpp sends the one, splice.cpp the other, each
// in turn as for an ordinary response; this file says what comes next.
#pragma once
#include <cstddef>
#include <cstdint>

#include "http/multipart.hpp"
#include "http/range.hpp"

namespace spliced::conn {

struct Services;
struct Request;

struct Parts {
  http::Multipart multipart;
  http::RangeResult ranges;
  size_t next = 0;  // index of the range to be sent; count: the closing delimiter is left
};

// Appends what comes before the next range to the output, and points r.body_offset and
// r.body_remaining at the range. After the last one that is the closing delimiter and
// nothing, and r.parts is gone. r.file is the file.
void next_part(Services& s, Request& r);

}  // namespace spliced::conn
