// SPDX-License-Identifier: Apache-2.0
// The request, from the client to the backend: the head that was written anew, then the body. One
// with a length goes as it is, through a pipe where the kernel has the TLS; a chunked one is read
// and framed anew.
#include <errno.h>

#include <algorithm>

#include "conn/chunk.hpp"
#include "conn/exchange.hpp"
#include "conn/input.hpp"
#include "conn/transport.hpp"

namespace spliced::conn {
namespace {

// The backend takes no more of the request. It may have answered all the same.
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
  if (x.to_upstream.empty() && x.has_body) x.to_upstream.begin = x.to_upstream.end = 0;
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

void take(Exchange& x, size_t bytes) {
  x.request_body.pass(bytes);
  x.fed_bytes += bytes;
  x.request_over = x.request_body.done();
}

// What came with the head, or after it, straight from the input.
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
    take(x, moved.bytes);
  }
  return after_send(s, r, moved);
}

// Kernel TLS -> pipe. Blocked: there is nothing; Moved with an empty pipe: not this way.
Flow fill_pipe(Services& s, Request& r) {
  Connection& c = *r.connection;
  Exchange& x = *r.exchange;
  if (!x.pipe) x.pipe = s.pipes.take();
  if (!x.pipe) return Flow::Moved;
  const auto bytes =
      static_cast<size_t>(std::min<uint64_t>(x.request_body.content_left(), limits::kPieceBytes));
  const os::Moved moved = os::socket_to_pipe(c.socket, x.pipe.write_end.get(), bytes);
  if (moved.io == os::Io::WouldBlock) {
    c.readable = false;
    return Flow::Blocked;
  }
  // A control record, an error, the end: receive() has words for each.
  if (moved.io != os::Io::Done) return Flow::Moved;
  x.pipe_bytes = moved.bytes;
  take(x, moved.bytes);
  s.figures.spliced_bytes.add(moved.bytes);
  if (!count_received(s, c, moved.bytes)) return Flow::Moved;
  s.figures.record_limit_closes.add();
  abort(s, r, Ending::Aborted);
  return Flow::Ended;
}

Flow forward_length(Services& s, Request& r) {
  Connection& c = *r.connection;
  Exchange& x = *r.exchange;
  if (!input_of(r).empty()) return send_input(s, r);
  if (c.offloaded && s.kernel.splices_received && c.readable &&
      x.request_body.content_left() >= limits::kProxySpliceBytesMin) {
    const Flow flow = fill_pipe(s, r);
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

// The request is all there. What else the client sends is the next one, or its end.
Flow watch_client(Services& s, Request& r) {
  Connection& c = *r.connection;
  Exchange& x = *r.exchange;
  Span& input = input_of(r);
  if (c.peer_hung_up) {
    abort(s, r, Ending::PeerGone);
    return Flow::Ended;
  }
  if (!c.readable || c.peer_done || BufferPool::kBytes - input.size() < limits::kControlBytesMin)
    return Flow::Blocked;
  const Flow flow = receive_more(s, r);
  if (flow == Flow::Ended) return flow;
  if (input.empty()) input.release(s.buffers);
  // Nobody reads the stream any more, and perhaps it has nothing to say for hours.
  if (c.peer_done && x.event_stream) {
    abort(s, r, Ending::PeerGone);
    return Flow::Ended;
  }
  return flow;
}

}  // namespace

Flow receive_more(Services& s, Request& r) {
  Connection& c = *r.connection;
  if (c.peer_done && !r.exchange->request_over) {
    abort(s, r, Ending::PeerGone);  // the request is not whole, and never will be
    return Flow::Ended;
  }
  if (!c.readable || c.peer_done) return Flow::Blocked;
  Turn turn = Turn::Yield;
  if (receive(s, c, turn)) return Flow::Moved;
  if (turn == Turn::Again) return Flow::Ended;
  return turn == Turn::Wait && !c.peer_done ? Flow::Blocked : Flow::Moved;
}

Flow forward(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  if (!x.request_given_up) {
    if (!x.to_upstream.empty()) return send_head_or_chunks(s, r);
    if (x.pipe_bytes > 0) return send_pipe(s, r);
    if (!x.request_over) return x.chunked ? forward_chunks(s, r) : forward_length(s, r);
  }
  // Before the answer nobody knows whether what follows is a WebSocket's or a request.
  if (x.upgrades && !x.head_done) return Flow::Blocked;
  return x.request_over ? watch_client(s, r) : Flow::Blocked;
}

}  // namespace spliced::conn
