// SPDX-License-Identifier: Apache-2.0
// The client's end of an exchange over HTTP/2: what is ready goes out as DATA when it is the
// stream's turn, and the request's body comes from what DATA has brought, whose window opens again
// as the backend takes it. See conn/proxy/exchange.hpp.
#include "conn/proxy/exchange.hpp"

#include <algorithm>
#include <cstring>

#include "conn/h2/mux.hpp"
#include "conn/proxy/chunk.hpp"
#include "conn/transport.hpp"

namespace spliced::conn {

Flow send_ready_frames(Services& s, Request& r) {
  Stream& st = *r.stream;
  if (st.informing) return Flow::Blocked;
  if (r.exchange->head_done && !st.answered) submit_response(s, st);
  if (st.state == State::Join) return Flow::Ended;
  if (st.output.empty()) return Flow::Moved;
  r.connection->h2->wake(st);
  return Flow::Blocked;
}

// In the form that HTTP/1.1 has for it: as it is, or in chunks.
Flow take_stream_body(Services& s, Request& r) {
  Stream& st = *r.stream;
  const bool chunked = r.exchange->chunked;
  if (st.body_ended || (st.body.empty() && !st.ended)) return Flow::Blocked;
  if (st.body.empty() && !chunked) {  // it has ended, and is not all there
    abort(s, st);
    return Flow::Ended;
  }
  st.input.hold(s.buffers);
  if (st.input.empty()) st.input.begin = st.input.end = 0;
  const size_t overhead = chunked ? kChunkOverheadBytes : 0;
  const size_t bytes = std::min(st.body.size(), st.input.room() - overhead);
  const std::string_view content{st.body.data(), bytes};
  if (chunked)
    append_chunk(st.input, content);
  else
    append_text(st.input, content);
  st.body.erase(0, bytes);
  r.connection->h2->session->consume(st.id, bytes);
  st.body_ended = st.ended && st.body.empty();
  if (st.body_ended && chunked) append_text(st.input, kLastChunk);
  return Flow::Moved;
}

// Its window is shut, or nearly: whether it is stalled, times.cpp says.
bool stream_client_owes(const Request& r) {
  return r.stream->answered && !r.stream->output.empty();
}

}  // namespace spliced::conn
