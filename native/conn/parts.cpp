// SPDX-License-Identifier: Apache-2.0
// See parts.hpp.
#include "conn/parts.hpp"

#include "base/assert.hpp"
#include "conn/services.hpp"

namespace spliced::conn {

void next_part(Services& s, Connection& c) {
  Parts& parts = *c.request.parts;
  c.output.hold(s.buffers);
  SPLICED_ASSERT(c.output.room() >= http::kPartHeadBytesMax && c.request.body_remaining == 0);
  if (parts.next == parts.ranges.count) {
    c.output.end += http::format_closing(parts.multipart, c.output.tail());
    c.request.parts.reset();
    return;
  }
  const http::ByteRange& range = parts.ranges.ranges[parts.next];
  const bool first = parts.next++ == 0;
  const size_t bytes = http::format_part_head(parts.multipart, range, first, c.output.tail());
  SPLICED_ASSERT(bytes > 0);
  c.output.end += bytes;
  c.request.body_offset = range.first;
  c.request.body_remaining = range.size();
}

}  // namespace spliced::conn
