// SPDX-License-Identifier: Apache-2.0
// The client's side of an exchange, over HTTP/1.1 (h2/exchange.cpp is that of streams): sends what
// is ready to its socket, and receives more of the request from it. See exchange.hpp.
#include <algorithm>
#include <utility>

#include "conn/input.hpp"
#include "conn/proxy/exchange.hpp"
#include "conn/send_failure.hpp"
#include "conn/stream.hpp"
#include "conn/transport.hpp"

namespace spliced::conn {
namespace {

// From here on the client's time runs; see deadline.cpp: keeps_up().
Flow block(Services& s, Request& r) {
  Connection& c = *r.connection;
  Exchange& x = *r.exchange;
  if (!x.measured) {
    os::TcpCounters tcp;
    if (os::tcp_counters(c.socket, tcp)) c.times.acked_mark = tcp.acked;
    c.times.progress_ms = s.now_ms;
    x.measured = true;
  }
  tick(s, r);
  return Flow::Blocked;
}

bool has_unsent(const Request& r) {
  const Connection& c = *r.connection;
  return !c.output.empty() || r.exchange->direct_bytes > 0 ||
         (c.tls.session && c.tls.session->unsent_bytes() > 0);
}

os::Moved send_once(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  if (!output_of(r).empty() || x.direct_bytes == 0)
    return stream_send_output(s, *r.connection, /*more=*/false);
  // Whole records, so none stays open.
  const os::Moved moved = stream_splice(s, r, x.direct_bytes);
  if (moved.io == os::Io::Done) x.direct_bytes -= moved.bytes;
  return moved;
}

// From here on no other answer can take the place of this one.
void head_leaves(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  if (!x.head_done || std::exchange(x.head_left, true)) return;
  mark_served(r);
  s.figures.count_status(x.status);
}

}  // namespace

Flow send_ready(Services& s, Request& r) {
  if (r.stream != nullptr) {
    head_leaves(s, r);
    return send_ready_frames(s, r);
  }
  Connection& c = *r.connection;
  while (has_unsent(r)) {
    const size_t bytes = output_of(r).empty() ? r.exchange->direct_bytes : output_of(r).size();
    if (!c.edges.writable) return block(s, r);
    if (record_limit_reached(s, c)) {
      s.figures.record_limit_closes.add();
      abort(s, r, Ending::Aborted);
      return Flow::Ended;
    }
    if (c.tls.offloaded && over_window(s, c, bytes)) return block(s, r);
    head_leaves(s, r);
    const os::Moved moved = send_once(s, r);
    if (moved.io == os::Io::WouldBlock) return block(s, r);
    if (moved.io != os::Io::Done) {
      (void)give_up_sending(s, c, moved.error);
      return Flow::Ended;
    }
  }
  return Flow::Moved;
}

Flow splice_received(Services& s, Request& r) {
  Connection& c = *r.connection;
  Exchange& x = *r.exchange;
  if (r.stream != nullptr || !c.tls.offloaded || !s.kernel.splices_received || !c.edges.readable)
    return Flow::Moved;
  if (!x.pipe) x.pipe = s.pipes.take();
  if (!x.pipe) return Flow::Moved;
  const auto bytes =
      static_cast<size_t>(std::min<uint64_t>(x.request_body.content_left(), limits::kPieceBytes));
  const os::Moved moved = os::socket_to_pipe(c.socket, x.pipe.write_end.get(), bytes);
  if (moved.io == os::Io::WouldBlock) {
    c.edges.readable = false;
    return Flow::Blocked;
  }
  // A control record, an error, the end of the stream: receive() handles each.
  if (moved.io != os::Io::Done) return Flow::Moved;
  x.pipe_bytes = moved.bytes;
  x.took(moved.bytes);
  s.figures.spliced_bytes.add(moved.bytes);
  if (!count_received(s, c, moved.bytes)) return Flow::Moved;
  s.figures.record_limit_closes.add();
  abort(s, r, Ending::Aborted);
  return Flow::Ended;
}

Flow watch_client(Services& s, Request& r) {
  if (r.stream != nullptr) return Flow::Blocked;  // the stream is told of its end
  Connection& c = *r.connection;
  Exchange& x = *r.exchange;
  Span& input = input_of(r);
  if (c.edges.peer_hung_up) {
    abort(s, r, Ending::PeerGone);
    return Flow::Ended;
  }
  if (!c.edges.readable || c.closing.peer_done ||
      BufferPool::kBytes < input.size() + limits::kInputRoomMin)
    return Flow::Blocked;
  const Flow flow = receive_more(s, r);
  if (flow == Flow::Ended) return flow;
  if (input.empty()) input.release(s.buffers);
  // The client has closed its side, and the event stream may be silent for hours.
  if (c.closing.peer_done && x.event_stream) {
    abort(s, r, Ending::PeerGone);
    return Flow::Ended;
  }
  return flow;
}

Flow receive_more(Services& s, Request& r) {
  if (r.stream != nullptr) return take_stream_body(s, r);
  Connection& c = *r.connection;
  if (c.closing.peer_done && !r.exchange->request_over) {
    abort(s, r, Ending::PeerGone);  // the request is incomplete and stays so
    return Flow::Ended;
  }
  if (!c.edges.readable || c.closing.peer_done) return Flow::Blocked;
  Turn turn = Turn::Yield;
  if (receive(s, c, turn)) return Flow::Moved;
  if (turn == Turn::Again) return Flow::Ended;
  return turn == Turn::Wait && !c.closing.peer_done ? Flow::Blocked : Flow::Moved;
}

bool client_owes(Request& r) {
  if (r.stream != nullptr) return stream_client_owes(r);
  Connection& c = *r.connection;
  Exchange& x = *r.exchange;
  if (!x.measured) return false;
  const bool unsent = !output_of(r).empty() || x.direct_bytes > 0;
  // The last event of a stream may always be on its way.
  const bool behind = unsent || os::unacknowledged_bytes(c.socket) >
                                    static_cast<int>(limits::kRecordPlaintextBytes);
  if (!behind) x.measured = c.times.lags = false;
  return behind;
}

}  // namespace spliced::conn
