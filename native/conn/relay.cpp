// SPDX-License-Identifier: Apache-2.0
// The response, from the backend to the client: its head is parsed and written anew, its body
// framed anew, or, if it has a length and the kernel has the TLS, spliced. A body that ends early,
// or is not what its framing says, ends the client's connection without close_notify: it must not
// look whole.
#include <algorithm>
#include <cstring>
#include <utility>

#include "conn/chunk.hpp"
#include "conn/dispatch.hpp"
#include "conn/exchange.hpp"
#include "conn/send_failure.hpp"
#include "conn/stream.hpp"
#include "os/upstream_socket.hpp"

namespace spliced::conn {
namespace {

using http::Framing;

Flow truncated(Services& s, Connection& c) {
  return fail_exchange(s, c, UpstreamFailure::Truncated);
}

void heard(Services& s, Connection& c) {
  c.request.exchange->heard_ms = s.now_ms;
}

// ---- To the client. ----

// From here on it is the client's time that runs; see deadline.cpp: keeps_up().
Flow block(Services& s, Connection& c) {
  Exchange& x = *c.request.exchange;
  if (!x.measured) {
    os::TcpCounters tcp;
    if (os::tcp_counters(c.socket, tcp)) c.acked_mark = tcp.acked;
    c.progress_ms = s.now_ms;
    x.measured = true;
  }
  s.tick(c);
  return Flow::Blocked;
}

bool record_limit_reached(Services& s, Connection& c) {
  if (!c.offloaded || c.ledger.sequence_at_most() < limits::kRecordsPerKeyMax) return false;
  observe(s, c);
  return c.ledger.sequence_at_most() >= limits::kRecordsPerKeyMax;
}

bool has_unsent(const Connection& c) {
  return !c.output.empty() || c.request.exchange->direct_bytes > 0 ||
         (c.session && c.session->unsent_bytes() > 0);
}

os::Moved send_once(Services& s, Connection& c) {
  Exchange& x = *c.request.exchange;
  if (!c.output.empty() || x.direct_bytes == 0) return stream_send_output(s, c, /*more=*/false);
  // Whole records: none stays open.
  const os::Moved moved = stream_splice(s, c, x.direct_bytes);
  if (moved.io == os::Io::Done) x.direct_bytes -= moved.bytes;
  return moved;
}

// From here on there is no other answer than this one.
void head_leaves(Services& s, Connection& c) {
  Exchange& x = *c.request.exchange;
  if (!x.head_done || std::exchange(x.head_left, true)) return;
  c.served = true;
  s.figures.count_status(x.status);
}

// ---- The head. ----

Flow take_interim(Services& s, Connection& c, std::string_view head,
                  const http::UpstreamHead& parsed) {
  Exchange& x = *c.request.exchange;
  if (++x.interim > limits::kInterimResponsesMax)
    return fail_exchange(s, c, UpstreamFailure::BadHead);
  if (x.client_minor_version > 0) {  // RFC 9110 15.2
    c.output.hold(s.buffers);
    c.output.end += http::format_relayed_head(head, parsed, {}, c.output.tail(), c.output.room());
  }
  x.from_upstream.begin += head.size();
  return Flow::Moved;
}

Flow take_final(Services& s, Connection& c, std::string_view head,
                const http::UpstreamHead& parsed) {
  Exchange& x = *c.request.exchange;
  x.from = http::framing_of(parsed, x.method == http::Method::Head);
  x.to = http::framing_to_client(x.from, x.client_minor_version);
  x.event_stream = parsed.is_event_stream && x.from != Framing::None;
  // A body that this response must not have may come all the same, and would be read as the next
  // one's answer: such a connection is not used again.
  x.upstream_persists = parsed.keep_alive && x.from != Framing::Close && x.from != Framing::None;
  if (x.from == Framing::Length)
    x.response_body = http::BodyReader::of_length(parsed.content_length);
  if (x.from == Framing::Chunked) x.response_body = http::BodyReader::of_chunks();
  x.response_over =
      x.from == Framing::None || (x.from == Framing::Length && x.response_body.done());
  // An answer before the end of the request: where that ends, nobody will know.
  if (x.to == Framing::Close || s.stopping || x.request_given_up) c.request.keep_alive = false;
  http::Relay how;
  how.framing = x.to;
  how.keep_alive = c.request.keep_alive;
  how.date = s.date();
  how.fields = c.request.route->fields;
  c.output.hold(s.buffers);
  const size_t bytes =
      http::format_relayed_head(head, parsed, how, c.output.tail(), c.output.room());
  if (bytes == 0) return fail_exchange(s, c, UpstreamFailure::BadHead);
  c.output.end += bytes;
  x.from_upstream.begin += head.size();
  x.head_done = true;
  x.status = parsed.status;
  if (x.request_over && x.to_upstream.empty()) x.to_upstream.release(s.buffers);
  if (x.event_stream) arm_exchange(s, c);
  return Flow::Moved;
}

Flow take_upgrade(Services& s, Connection& c, std::string_view head,
                  const http::UpstreamHead& parsed) {
  Exchange& x = *c.request.exchange;
  if (!x.upgrades || !parsed.is_websocket) return fail_exchange(s, c, UpstreamFailure::BadHead);
  http::Relay how;
  how.date = s.date();
  c.output.hold(s.buffers);
  c.output.end += http::format_relayed_head(head, parsed, how, c.output.tail(), c.output.room());
  x.from_upstream.begin += head.size();
  s.figures.count_status(parsed.status);
  begin_tunnel(s, c);
  return Flow::Ended;
}

Flow relay_head(Services& s, Connection& c) {
  Exchange& x = *c.request.exchange;
  x.from_upstream.hold(s.buffers);
  for (;;) {
    http::UpstreamHead parsed;
    const std::string_view seen{x.from_upstream.data(), x.from_upstream.size()};
    const http::UpstreamHeadResult result = http::parse_upstream_head(seen, parsed);
    if (result.outcome == http::Outcome::Rejected)
      return fail_exchange(s, c, UpstreamFailure::BadHead);
    if (result.outcome == http::Outcome::Complete) {
      const std::string_view head = seen.substr(0, result.consumed);
      if (parsed.status == 101) return take_upgrade(s, c, head, parsed);
      return parsed.status < 200 ? take_interim(s, c, head, parsed)
                                 : take_final(s, c, head, parsed);
    }
    const Upstream& u = upstream_of(s, c);
    if (!u.readable) return Flow::Blocked;
    if (!x.asked && u.reused) {  // what it says now, nobody has asked for
      const bool waits = !x.request_given_up && os::is_quiet(u.socket);
      return waits ? Flow::Blocked : upstream_has_left(s, c);
    }
    const os::Received got = read_upstream(s, c);
    if (got.io == os::Io::WouldBlock) return Flow::Blocked;
    if (got.io == os::Io::Done) continue;
    return x.answered ? fail_exchange(s, c, UpstreamFailure::Closed) : upstream_has_left(s, c);
  }
}

// ---- The body. ----

Flow end_body(Connection& c) {
  Exchange& x = *c.request.exchange;
  if (x.to == Framing::Chunked) append_text(c.output, kLastChunk);
  x.response_over = true;
  return Flow::Moved;
}

Flow relay_chunks(Services& s, Connection& c) {
  Exchange& x = *c.request.exchange;
  if (x.from_upstream.empty()) {
    if (!upstream_of(s, c).readable) return Flow::Blocked;
    x.from_upstream.hold(s.buffers);
    const os::Received got = read_upstream(s, c);
    if (got.io == os::Io::WouldBlock) {
      x.from_upstream.release(s.buffers);
      return Flow::Blocked;
    }
    if (got.io != os::Io::Done) return truncated(s, c);
  }
  while (!x.from_upstream.empty() && c.output.room() > kChunkOverheadBytes) {
    const size_t bytes = std::min(x.from_upstream.size(), c.output.room() - kChunkOverheadBytes);
    const http::BodyReader::Piece piece = x.response_body.next({x.from_upstream.data(), bytes});
    if (piece.result.verdict == http::BodyReader::Verdict::Bad ||
        piece.result.verdict == http::BodyReader::Verdict::TooLarge)
      return truncated(s, c);
    x.from_upstream.begin += piece.result.consumed;
    if (x.to == Framing::Chunked) {
      append_chunk(c.output, piece.content);
    } else {
      append_text(c.output, piece.content);
    }
    if (x.response_body.done()) return end_body(c);
  }
  return Flow::Moved;
}

// Content with a length, or until the end: what came with the head, then straight into the output.
Flow relay_plain(Services& s, Connection& c) {
  Exchange& x = *c.request.exchange;
  Upstream& u = upstream_of(s, c);
  const bool framed = x.to == Framing::Chunked;
  const size_t prefix = framed ? kChunkPrefixBytes : 0;
  uint64_t room = c.output.room() - (framed ? kChunkOverheadBytes : 0);
  if (x.from == Framing::Length) room = std::min(room, x.response_body.content_left());
  size_t bytes = 0;
  if (!x.from_upstream.empty()) {
    bytes = static_cast<size_t>(std::min<uint64_t>(room, x.from_upstream.size()));
    std::memcpy(c.output.tail() + prefix, x.from_upstream.data(), bytes);
    x.from_upstream.begin += bytes;
  } else {
    x.from_upstream.release(s.buffers);
    if (!u.readable) return Flow::Blocked;
    const os::Received got =
        os::receive_plain(u.socket, c.output.tail() + prefix, static_cast<size_t>(room));
    if (got.io == os::Io::WouldBlock) {
      u.readable = false;
      return Flow::Blocked;
    }
    if (got.io == os::Io::Eof && x.from == Framing::Close) return end_body(c);
    if (got.io != os::Io::Done) return truncated(s, c);
    bytes = got.bytes;
    heard(s, c);
  }
  if (framed) {
    close_chunk(c.output, bytes);
  } else {
    c.output.end += bytes;
  }
  if (x.from == Framing::Length) {
    x.response_body.pass(bytes);
    x.response_over = x.response_body.done();
  }
  return Flow::Moved;
}

bool splices(const Connection& c) {
  const Exchange& x = *c.request.exchange;
  if (!c.offloaded || x.from != Framing::Length || !x.from_upstream.empty()) return false;
  return c.request.pipe_bytes > 0 || x.response_body.content_left() >= limits::kProxySpliceBytesMin;
}

// The pipe's last bytes by way of memory, so that their record is closed: when the body ends there,
// or nothing follows for now.
Flow pipe_to_output(Services& s, Connection& c) {
  Exchange& x = *c.request.exchange;
  const size_t bytes = std::min(c.request.pipe_bytes, c.output.room());
  const os::Moved moved = os::pipe_to_memory(c.request.pipe.read_end.get(), c.output.tail(), bytes);
  if (moved.io != os::Io::Done) return truncated(s, c);
  c.output.end += moved.bytes;
  c.request.pipe_bytes -= moved.bytes;
  x.response_over = x.response_body.done() && c.request.pipe_bytes == 0;
  return Flow::Moved;
}

// Backend -> pipe, as much as there is. False: it has ended.
bool fill_pipe(Services& s, Connection& c) {
  Exchange& x = *c.request.exchange;
  Upstream& u = upstream_of(s, c);
  while (u.readable && c.request.pipe_bytes < limits::kPieceBytes && !x.response_body.done()) {
    const uint64_t wanted = std::min<uint64_t>(limits::kPieceBytes - c.request.pipe_bytes,
                                               x.response_body.content_left());
    const os::Moved moved =
        os::socket_to_pipe(u.socket, c.request.pipe.write_end.get(), static_cast<size_t>(wanted));
    if (moved.io == os::Io::WouldBlock) {
      // A pipe with something in it may be full of small pieces: then it is emptied first.
      if (c.request.pipe_bytes == 0) u.readable = false;
      return true;
    }
    if (moved.io != os::Io::Done) return false;
    c.request.pipe_bytes += moved.bytes;
    x.response_body.pass(moved.bytes);
    heard(s, c);
  }
  return true;
}

Flow splice_body(Services& s, Connection& c) {
  Exchange& x = *c.request.exchange;
  if (!fill_pipe(s, c)) return truncated(s, c);
  if (c.request.pipe_bytes == 0) return Flow::Blocked;
  const size_t kept = x.response_body.done() ? 1 : 0;  // the last record is closed from memory
  const size_t whole = (c.request.pipe_bytes - kept) / limits::kRecordPlaintextBytes;
  if (whole == 0) return pipe_to_output(s, c);
  x.direct_bytes = whole * limits::kRecordPlaintextBytes;
  return Flow::Moved;
}

Flow relay_body(Services& s, Connection& c) {
  Exchange& x = *c.request.exchange;
  // A stream has no length that its end would belie.
  if (s.stopping && x.event_stream && x.from != Framing::Length && x.from_upstream.empty() &&
      c.output.room() >= kLastChunk.size()) {
    x.upstream_persists = false;
    c.request.keep_alive = false;
    return end_body(c);
  }
  if (splices(c)) {
    if (!c.request.pipe) c.request.pipe = s.pipes.take();
    if (c.request.pipe) return splice_body(s, c);
  }
  if (c.output.room() <= kChunkOverheadBytes) return Flow::Moved;  // what is there goes first
  return x.from == Framing::Chunked ? relay_chunks(s, c) : relay_plain(s, c);
}

Flow finish(Services& s, Connection& c) {
  if (!c.request.exchange->request_over) c.request.keep_alive = false;
  release_exchange(s, c);
  (void)finish_response(s, c);
  return Flow::Ended;
}

}  // namespace

Flow send_ready(Services& s, Connection& c) {
  while (has_unsent(c)) {
    const size_t bytes = c.output.empty() ? c.request.exchange->direct_bytes : c.output.size();
    if (!c.writable) return block(s, c);
    if (record_limit_reached(s, c)) {
      s.figures.record_limit_closes.add();
      abort(s, c, Ending::Aborted);
      return Flow::Ended;
    }
    if (c.offloaded && over_window(s, c, bytes)) return block(s, c);
    head_leaves(s, c);
    const os::Moved moved = send_once(s, c);
    if (moved.io == os::Io::WouldBlock) return block(s, c);
    if (moved.io != os::Io::Done) {
      (void)give_up_sending(s, c, moved.error);
      return Flow::Ended;
    }
  }
  return Flow::Moved;
}

os::Received read_upstream(Services& s, Connection& c) {
  Exchange& x = *c.request.exchange;
  Span& from = x.from_upstream;
  if (from.begin > 0) {
    std::memmove(from.memory.get(), from.data(), from.size());
    from.end = from.size();
    from.begin = 0;
  }
  Upstream& u = upstream_of(s, c);
  const os::Received got = os::receive_plain(u.socket, from.tail(), from.room());
  if (got.io == os::Io::WouldBlock) u.readable = false;
  if (got.io != os::Io::Done) return got;
  from.end += got.bytes;
  x.answered = true;
  heard(s, c);
  return got;
}

Flow relay(Services& s, Connection& c) {
  Exchange& x = *c.request.exchange;
  const Flow sent = send_ready(s, c);
  if (sent != Flow::Moved) return sent;
  if (x.response_over) return finish(s, c);
  bool head = false;
  if (!x.head_done) {
    const Flow flow = relay_head(s, c);
    if (flow != Flow::Moved || !x.head_done) return flow;
    head = true;
  }
  c.output.hold(s.buffers);
  Flow flow = x.response_over ? Flow::Moved : relay_body(s, c);
  if (flow == Flow::Ended) return flow;
  // A slow client does not keep the backend's connection from others.
  if (x.response_over && x.request_over) let_go_of_upstream(s, c);
  if (flow == Flow::Blocked && !head) c.output.release(s.buffers);
  return head ? Flow::Moved : flow;
}

}  // namespace spliced::conn
