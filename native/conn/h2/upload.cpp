// SPDX-License-Identifier: Apache-2.0
// Where the bytes of an upload come from over HTTP/2: what DATA has brought. They count in the
// windows until the file has taken them, so a slow disk keeps its own stream's window shut, and
// what has come and is not written is bounded by that. See conn/upload/upload.hpp.
#include <algorithm>

#include "base/assert.hpp"
#include "conn/h2/mux.hpp"
#include "conn/transport.hpp"

namespace spliced::conn {

bool fill_stream_upload(Request& r) {
  Stream& st = *r.stream;
  Upload& u = *r.upload;
  const auto bytes = static_cast<size_t>(std::min<uint64_t>(st.body.size(), u.left));
  if (bytes > 0) {
    const os::Moved moved =
        os::memory_to_pipe(u.filling.pipe.write_end.get(), st.body.data(), bytes);
    if (moved.io == os::Io::Done) {
      st.body.erase(0, moved.bytes);
      st.held_bytes += moved.bytes;
      u.took(moved.bytes);
    }
  }
  // Not before END_STREAM: what came behind the last byte would make the request malformed.
  if (u.left == 0 && st.ended) u.end_body();
  return false;
}

void stream_upload_written(Request& r, size_t bytes) {
  Stream& st = *r.stream;
  SPLICED_ASSERT(bytes <= st.held_bytes);
  st.held_bytes -= bytes;
  r.connection->h2->session->consume(st.id, bytes);
}

// Both windows, and never less again: a connection's other bodies keep what they have.
void widen_stream_window(Request& r) {
  Mux& m = *r.connection->h2;
  uint32_t uploads = 1;
  for (const Stream* st : m.streams)
    if (st->request.upload) uploads++;
  m.session->widen(r.stream->id, limits::kUploadWindowBytes);
  uploads = std::min(uploads, static_cast<uint32_t>(limits::kUploadsMax));
  if (uploads <= m.upload_windows) return;
  m.upload_windows = uploads;
  m.session->widen(0, limits::kConnectionWindowBytes + uploads * limits::kUploadWindowBytes);
}

// nghttp2 opens a window as soon as half of it was taken: until then the client may see it shut.
bool connection_window_is_shut(const Request& r) {
  const Mux& m = *r.connection->h2;
  size_t held = 0;
  for (const Stream* st : m.streams) held += st->body.size() + st->held_bytes;
  const size_t window =
      limits::kConnectionWindowBytes + size_t{m.upload_windows} * limits::kUploadWindowBytes;
  return held >= window / 2;
}

}  // namespace spliced::conn
