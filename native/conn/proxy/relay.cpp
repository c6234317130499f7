// SPDX-License-Identifier: Apache-2.0
// The response, from the backend to the client. Its head is parsed and written anew. Its body is
// framed anew, or spliced if it has a length and the kernel has the TLS. If the body ends early or
// contradicts its framing, the client's connection ends without close_notify, so that the body does
// not look whole.
#include <algorithm>
#include <cstring>
#include <utility>

#include "conn/proxy/check.hpp"
#include "conn/proxy/chunk.hpp"
#include "conn/proxy/exchange.hpp"
#include "conn/proxy/hand_over.hpp"
#include "conn/transport.hpp"
#include "http/trailers.hpp"
#include "os/upstream_socket.hpp"

namespace spliced::conn {
namespace {

using http::Framing;

Flow truncated(Services& s, Request& r) {
  return fail_exchange(s, r, UpstreamFailure::Truncated);
}

void heard(Services& s, Request& r) {
  r.exchange->heard_ms = s.now_ms;
}

// ---- The head. ----

// Bytes that the head needs when it is written for the client.
size_t room_for(std::string_view head) {
  return head.size() + limits::kRouteFieldsBytesMax + limits::kPassedHeadExtraBytes;
}

Flow take_interim(Services& s, Request& r, std::string_view head,
                  const http::UpstreamHead& parsed) {
  Exchange& x = *r.exchange;
  Span& output = output_of(r);
  if (++x.interim > limits::kInterimResponsesMax)
    return fail_exchange(s, r, UpstreamFailure::BadHead);
  if (x.client_minor_version > 0 && !x.check) {  // RFC 9110 15.2
    output.hold(s.buffers, room_for(head));
    output.end += http::format_relayed_head(head, parsed, {}, output.tail(), output.room());
    if (frames_bodies(r)) inform_client(s, r);
  }
  x.from_upstream.begin += head.size();
  return Flow::Moved;
}

// `fields`: the route's.
Flow take_answer(Services& s, Request& r, std::string_view head, const http::UpstreamHead& parsed,
                 std::string_view fields) {
  Exchange& x = *r.exchange;
  Span& output = output_of(r);
  x.from = http::framing_of(parsed, x.method == http::Method::Head);
  x.to = http::framing_to_client(x.from, frames_bodies(r) ? 0 : x.client_minor_version);
  x.event_stream = parsed.is_event_stream && x.from != Framing::None;
  // A forbidden body may arrive all the same, and would be read as the next response. Such a
  // connection is not used again.
  x.upstream_persists = parsed.keep_alive && x.from != Framing::Close && x.from != Framing::None;
  if (x.from == Framing::Length)
    x.response_body = http::BodyReader::of_length(parsed.content_length);
  if (x.from == Framing::Chunked) x.response_body = http::BodyReader::of_chunks();
  const bool trailers = x.takes_trailers && x.from == Framing::Chunked;
  if (trailers) x.response_body.keep_trailers(&x.trailers);
  if (trailers) x.connection_names = http::connection_options(head);
  x.response_over =
      x.from == Framing::None || (x.from == Framing::Length && x.response_body.done());
  // An answer before the end of the request: the end of the request cannot be found any more.
  const bool ends = x.to == Framing::Close || s.stopping || x.request_given_up;
  if (ends && !frames_bodies(r)) r.keep_alive = false;
  http::Relay how;
  how.framing = x.to;
  how.keep_alive = r.keep_alive;
  how.trailers = trailers;
  how.date = s.date();
  how.fields = fields;
  output.hold(s.buffers, room_for(head));
  const size_t bytes = http::format_relayed_head(head, parsed, how, output.tail(), output.room());
  if (bytes == 0) return fail_exchange(s, r, UpstreamFailure::BadHead);
  output.end += bytes;
  head_is_written(r);
  x.from_upstream.begin += head.size();
  set_rate(r, r.route->rate_max_bytes_per_s);
  x.head_done = true;
  x.status = parsed.status;
  if (x.request_over && x.to_upstream.empty()) x.to_upstream.release(s.buffers);
  if (x.event_stream) arm_exchange(s, r);
  return Flow::Moved;
}

Flow take_final(Services& s, Request& r, std::string_view head, const http::UpstreamHead& parsed) {
  if (r.exchange->check) {
    if (take_check(s, r, head, parsed) == Flow::Ended) return Flow::Ended;
    return take_answer(s, r, head, parsed, {});  // a sign-in page sets its own fields
  }
  const http::NamedFile named = http::find_named_file(head);
  if (opens_tunnel(r) && (parsed.status < 300 || !named.field.empty()))
    return fail_exchange(s, r, UpstreamFailure::BadHead);
  if (!named.field.empty()) return hand_over(s, r, head, parsed, named);
  return take_answer(s, r, head, parsed, r.route->fields);
}

Flow take_upgrade(Services& s, Request& r, std::string_view head,
                  const http::UpstreamHead& parsed) {
  Exchange& x = *r.exchange;
  Span& output = output_of(r);
  if (!x.upgrades || !parsed.is_websocket) return fail_exchange(s, r, UpstreamFailure::BadHead);
  if (opens_tunnel(r) && parsed.websocket_accept != r.stream->websocket_accept)
    return fail_exchange(s, r, UpstreamFailure::BadHead);
  http::Relay how;
  how.date = s.date();
  how.tunnel = opens_tunnel(r);
  output.hold(s.buffers, room_for(head));
  output.end += http::format_relayed_head(head, parsed, how, output.tail(), output.room());
  head_is_written(r);
  x.from_upstream.begin += head.size();
  x.status = how.tunnel ? 200 : parsed.status;
  begin_tunnel(s, r);
  return Flow::Ended;
}

Flow relay_head(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  x.from_upstream.hold(s.buffers);
  for (;;) {
    http::UpstreamHead parsed;
    const std::string_view seen{x.from_upstream.data(), x.from_upstream.size()};
    const http::UpstreamHeadResult result =
        http::parse_upstream_head(seen, parsed, s.options.upstream_head_bytes_max);
    if (result.outcome == http::Outcome::Rejected)
      return fail_exchange(s, r, UpstreamFailure::BadHead);
    if (result.outcome == http::Outcome::Complete) {
      const std::string_view head = seen.substr(0, result.consumed);
      if (parsed.status == 101) return take_upgrade(s, r, head, parsed);
      return parsed.status < 200 ? take_interim(s, r, head, parsed)
                                 : take_final(s, r, head, parsed);
    }
    const Upstream& u = upstream_of(s, r);
    if (!u.readable) return Flow::Blocked;
    if (!x.asked && u.reused) {  // its bytes answer no request
      const bool waits = !x.request_given_up && os::is_quiet(u.socket);
      return waits ? Flow::Blocked : upstream_has_left(s, r);
    }
    x.from_upstream.hold(s.buffers, 1);
    const os::Received got = read_upstream(s, r);
    if (got.io == os::Io::WouldBlock) return Flow::Blocked;
    if (got.io == os::Io::Done) continue;
    return x.answered ? fail_exchange(s, r, UpstreamFailure::Closed) : upstream_has_left(s, r);
  }
}

// ---- The body. ----

// The content is complete. What does not fit behind it is appended when that has been sent.
Flow end_body(Request& r) {
  Exchange& x = *r.exchange;
  Span& output = output_of(r);
  std::string trailers;
  if (!x.trailers.empty())
    trailers = http::trailers_for_client(x.trailers, x.connection_names, r.route->fields);
  if (x.to == Framing::Chunked) {
    if (output.room() < kLastChunk.size() + trailers.size()) return Flow::Moved;
    append_text(output, "0\r\n");
    append_text(output, trailers);
    append_text(output, "\r\n");
  } else {
    trail(r, std::move(trailers));
  }
  x.response_over = true;
  return Flow::Moved;
}

Flow relay_chunks(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  Span& output = output_of(r);
  if (x.response_body.done()) return end_body(r);
  if (x.from_upstream.empty()) {
    x.from_upstream.release(s.buffers);
    if (!upstream_of(s, r).readable) return Flow::Blocked;
    x.from_upstream.hold(s.buffers);
    const os::Received got = read_upstream(s, r);
    if (got.io == os::Io::WouldBlock) {
      x.from_upstream.release(s.buffers);
      return Flow::Blocked;
    }
    if (got.io != os::Io::Done) return truncated(s, r);
  }
  while (!x.from_upstream.empty() && output.room() > kChunkOverheadBytes) {
    const size_t bytes = std::min(x.from_upstream.size(), output.room() - kChunkOverheadBytes);
    const http::BodyReader::Piece piece = x.response_body.next({x.from_upstream.data(), bytes});
    if (piece.result.verdict == http::BodyReader::Verdict::Bad ||
        piece.result.verdict == http::BodyReader::Verdict::TooLarge)
      return truncated(s, r);
    x.from_upstream.begin += piece.result.consumed;
    if (x.to == Framing::Chunked) {
      append_chunk(output, piece.content);
    } else {
      append_text(output, piece.content);
    }
    if (x.response_body.done()) return end_body(r);
  }
  return Flow::Moved;
}

// Content with a length, or until the end of the connection: first what came with the head, then
// reads directly into the output.
Flow relay_plain(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  Span& output = output_of(r);
  Upstream& u = upstream_of(s, r);
  const bool framed = x.to == Framing::Chunked;
  const size_t prefix = framed ? kChunkPrefixBytes : 0;
  uint64_t room = output.room() - (framed ? kChunkOverheadBytes : 0);
  if (x.from == Framing::Length) room = std::min(room, x.response_body.content_left());
  size_t bytes = 0;
  if (!x.from_upstream.empty()) {
    bytes = static_cast<size_t>(std::min<uint64_t>(room, x.from_upstream.size()));
    std::memcpy(output.tail() + prefix, x.from_upstream.data(), bytes);
    x.from_upstream.begin += bytes;
  } else {
    x.from_upstream.release(s.buffers);
    if (!u.readable) return Flow::Blocked;
    const os::Received got =
        os::receive_plain(u.socket, output.tail() + prefix, static_cast<size_t>(room));
    if (got.io == os::Io::WouldBlock) {
      u.readable = false;
      return Flow::Blocked;
    }
    if (got.io == os::Io::Eof && x.from == Framing::Close) return end_body(r);
    if (got.io != os::Io::Done) return truncated(s, r);
    bytes = got.bytes;
    heard(s, r);
  }
  if (framed) {
    close_chunk(output, bytes);
  } else {
    output.end += bytes;
  }
  if (x.from == Framing::Length) {
    x.response_body.pass(bytes);
    x.response_over = x.response_body.done();
  }
  return Flow::Moved;
}

bool splices(const Request& r) {
  const Exchange& x = *r.exchange;
  if (!relays_by_pipe(r) || x.from != Framing::Length || !x.from_upstream.empty()) return false;
  return r.pipe_bytes > 0 || x.response_body.content_left() >= limits::kProxySpliceBytesMin;
}

// Sends the last bytes of the pipe through memory, so that their record is closed: at the end of
// the body, or if nothing follows for now.
Flow pipe_to_output(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  Span& output = output_of(r);
  const size_t bytes = std::min(r.pipe_bytes, output.room());
  const os::Moved moved = os::pipe_to_memory(r.pipe.read_end.get(), output.tail(), bytes);
  if (moved.io != os::Io::Done) return truncated(s, r);
  output.end += moved.bytes;
  r.pipe_bytes -= moved.bytes;
  x.response_over = x.response_body.done() && r.pipe_bytes == 0;
  return Flow::Moved;
}

// Moves from the backend to the pipe what has arrived. False: the stream has ended.
bool fill_pipe(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  Upstream& u = upstream_of(s, r);
  while (u.readable && r.pipe_bytes < limits::kPieceBytes && !x.response_body.done()) {
    const uint64_t wanted =
        std::min<uint64_t>(limits::kPieceBytes - r.pipe_bytes, x.response_body.content_left());
    const os::Moved moved =
        os::socket_to_pipe(u.socket, r.pipe.write_end.get(), static_cast<size_t>(wanted));
    if (moved.io == os::Io::WouldBlock) {
      // A pipe with content may be full of small pieces. Then it is emptied first.
      if (r.pipe_bytes == 0) u.readable = false;
      return true;
    }
    if (moved.io != os::Io::Done) return false;
    r.pipe_bytes += moved.bytes;
    x.response_body.pass(moved.bytes);
    heard(s, r);
  }
  return true;
}

Flow splice_body(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  if (!fill_pipe(s, r)) return truncated(s, r);
  if (r.pipe_bytes == 0) return Flow::Blocked;
  const size_t kept = x.response_body.done() ? 1 : 0;  // the last record is closed from memory
  const size_t whole = (r.pipe_bytes - kept) / limits::kRecordPlaintextBytes;
  if (whole == 0) return pipe_to_output(s, r);
  x.direct_bytes = whole * limits::kRecordPlaintextBytes;
  return Flow::Moved;
}

Flow relay_body(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  // An event stream has no length that an early end would contradict.
  if (s.stopping && x.event_stream && x.from != Framing::Length && x.from_upstream.empty() &&
      output_of(r).room() >= kLastChunk.size()) {
    x.upstream_persists = false;
    r.keep_alive = false;
    return end_body(r);
  }
  if (splices(r)) {
    if (!r.pipe) r.pipe = s.pipes.take();
    if (r.pipe) return splice_body(s, r);
  }
  // What is in the output goes first; a head that needed a larger buffer goes alone.
  Span& output = output_of(r);
  if (output.is_large() && output.empty()) output.release(s.buffers);
  output.hold(s.buffers);
  if (output.room() <= kChunkOverheadBytes || output.is_large()) return Flow::Moved;
  return x.from == Framing::Chunked ? relay_chunks(s, r) : relay_plain(s, r);
}

Flow finish(Services& s, Request& r) {
  if (!r.exchange->request_over && !frames_bodies(r)) r.keep_alive = false;
  release_exchange(s, r);
  (void)finish_response(s, r);
  return Flow::Ended;
}

}  // namespace

os::Received read_upstream(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  Span& from = x.from_upstream;
  if (from.begin > 0) {
    std::memmove(from.memory.get(), from.data(), from.size());
    from.end = from.size();
    from.begin = 0;
  }
  Upstream& u = upstream_of(s, r);
  const os::Received got = os::receive_plain(u.socket, from.tail(), from.room());
  if (got.io == os::Io::WouldBlock) u.readable = false;
  if (got.io != os::Io::Done) return got;
  from.end += got.bytes;
  x.answered = true;
  heard(s, r);
  return got;
}

Flow relay(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  const Flow sent = send_ready(s, r);
  if (sent != Flow::Moved) return sent;
  if (x.response_over) return finish(s, r);
  bool head = false;
  if (!x.head_done) {
    const Flow flow = relay_head(s, r);
    if (flow != Flow::Moved || !x.head_done) return flow;
    head = true;
  }
  output_of(r).hold(s.buffers);
  Flow flow = x.response_over ? Flow::Moved : relay_body(s, r);
  if (flow == Flow::Ended) return flow;
  // A slow client must not keep the backend's connection from others.
  if (x.response_over && x.request_over) let_go_of_upstream(s, r);
  if (flow == Flow::Blocked && !head) output_of(r).release(s.buffers);
  return head ? Flow::Moved : flow;
}

}  // namespace spliced::conn
