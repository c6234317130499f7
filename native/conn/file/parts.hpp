// SPDX-License-Identifier: Apache-2.0
// The body of a 206 with several ranges: pieces from memory (the parts' heads, the closing
// delimiter) alternate with pieces of the file. respond.cpp sends the former, splice.cpp the
// latter, as for an ordinary response. This file decides which comes next.
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
  size_t next = 0;  // index of the next range; count: only the closing delimiter is left
};

// Appends what precedes the next range to the output, and sets r.body_offset and r.body_remaining
// to the range in r.file. After the last range it appends the closing delimiter, sets an empty
// range and resets r.parts.
void next_part(Services& s, Request& r);

}  // namespace spliced::conn
