// SPDX-License-Identifier: Apache-2.0
// See parts.hpp.
#include "conn/file/parts.hpp"

#include "base/assert.hpp"
#include "conn/transport.hpp"

namespace spliced::conn {

void next_part(Services& s, Request& r) {
  Span& output = output_of(r);
  Parts& parts = *r.parts;
  output.hold(s.buffers);
  SPLICED_ASSERT(output.room() >= http::kPartHeadBytesMax && r.body_remaining == 0);
  if (parts.next == parts.ranges.count) {
    output.end += http::format_closing(parts.multipart, output.tail());
    r.parts.reset();
    return;
  }
  const http::ByteRange& range = parts.ranges.ranges[parts.next];
  const bool first = parts.next++ == 0;
  const size_t bytes = http::format_part_head(parts.multipart, range, first, output.tail());
  SPLICED_ASSERT(bytes > 0);
  output.end += bytes;
  r.body_offset = range.first;
  r.body_remaining = range.size();
}

}  // namespace spliced::conn
