// SPDX-License-Identifier: Apache-2.0
// Sends the request from the client to the backend: the newly written head, then the body. A body
// with a length is passed on unchanged, through a pipe with kernel TLS. A chunked body is parsed
// and framed again.
#include <errno.h>

#include <algorithm>

#include "conn/proxy/chunk.hpp"
#include "conn/proxy/exchange.hpp"
#include "conn/transport.hpp"

namespace spliced::conn {
namespace {

// The backend accepts no more of the request. It may have answered nevertheless.
Flow give_up_request(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  x.request_given_up = true;
  upstream_of(s, r).readable = true;
  return Flow::Moved;
}

Flow after_send(Services& s, Request& r, const os::Moved& moved) {
  if (moved.io == os::Io::WouldBlock) {
    upstream_of(s, r).writable = false;
    return Flow::Blocked;
  }
  if (moved.io != os::Io::Done) return give_up_request(s, r);
  r.exchange->heard_ms = s.now_ms;
  return Flow::Moved;
}

Flow send_head_or_chunks(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  Upstream& u = upstream_of(s, r);
  if (!u.writable) return Flow::Blocked;
  const os::Moved moved =
      os::send_bytes(u.socket, x.to_upstream.data(), x.to_upstream.size(), /*more=*/false);
  const Flow flow = after_send(s, r, moved);
  if (moved.io == os::Io::Done) x.to_upstream.begin += moved.bytes;
  if (moved.io == os::Io::Done) x.asked = true;
  if (x.to_upstream.empty() && x.has_body) x.to_upstream.release(s.buffers);
  return flow;
}

Flow send_pipe(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  Upstream& u = upstream_of(s, r);
  if (!u.writable) return Flow::Blocked;
  const os::Moved moved =
      os::pipe_to_socket(x.pipe.read_end.get(), u.socket, x.pipe_bytes, /*more=*/false);
  if (moved.io == os::Io::Done) x.pipe_bytes -= moved.bytes;
  return after_send(s, r, moved);
}

// Sends from the input what came with the head, or after it.
Flow send_input(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  Span& input = input_of(r);
  Upstream& u = upstream_of(s, r);
  if (!u.writable) return Flow::Blocked;
  const size_t bytes =
      static_cast<size_t>(std::min<uint64_t>(input.size(), x.request_body.content_left()));
  const os::Moved moved = os::send_bytes(u.socket, input.data(), bytes, /*more=*/false);
  if (moved.io == os::Io::Done) {
    input.begin += moved.bytes;
    x.took(moved.bytes);
  }
  return after_send(s, r, moved);
}

Flow forward_length(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  if (!input_of(r).empty()) return send_input(s, r);
  if (x.request_body.content_left() >= limits::kProxySpliceBytesMin) {
    const Flow flow = splice_received(s, r);
    if (flow != Flow::Moved || x.pipe_bytes > 0) return flow;
  }
  return receive_more(s, r);
}

Flow forward_chunks(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  Span& input = input_of(r);
  if (input.empty()) return receive_more(s, r);
  x.to_upstream.hold(s.buffers);
  while (!input.empty() && !x.request_over && x.to_upstream.room() > kChunkOverheadBytes) {
    const size_t bytes = std::min(input.size(), x.to_upstream.room() - kChunkOverheadBytes);
    const http::BodyReader::Piece piece = x.request_body.next({input.data(), bytes});
    if (piece.result.verdict == http::BodyReader::Verdict::Bad ||
        piece.result.verdict == http::BodyReader::Verdict::TooLarge)
      return refuse_exchange(s, r, 400);
    append_chunk(x.to_upstream, piece.content);
    input.begin += piece.result.consumed;
    x.fed_bytes += piece.result.consumed;
    x.request_over = x.request_body.done();
  }
  if (x.request_over) append_text(x.to_upstream, kLastChunk);
  return Flow::Moved;
}

}  // namespace

Flow forward(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  if (!x.request_given_up) {
    if (!x.to_upstream.empty()) return send_head_or_chunks(s, r);
    if (x.pipe_bytes > 0) return send_pipe(s, r);
    if (!x.request_over) return x.chunked ? forward_chunks(s, r) : forward_length(s, r);
  }
  // Nothing is read from the client during the check, but it may be gone.
  if (x.check && client_hung_up(r)) {
    abort(s, r, Ending::PeerGone);
    return Flow::Ended;
  }
  if (x.check) return Flow::Blocked;
  // Before the answer it is unknown whether WebSocket frames or a request will follow.
  if (x.upgrades && !x.head_done) return Flow::Blocked;
  return x.request_over ? watch_client(s, r) : Flow::Blocked;
}

}  // namespace spliced::conn
