// SPDX-License-Identifier: Apache-2.0
// What a request needs of the connection that it came over. Code that serves requests uses this
// interface alone. Over HTTP/1.1 a request has the whole connection: its state is the connection's,
// and what it sends is the connection's output. Over HTTP/2 it has a stream, with a state, an input
// and an output of its own. The two differ only here.
#pragma once
#include <string>
#include <string_view>
#include <utility>

#include "base/assert.hpp"
#include "conn/dispatch.hpp"
#include "conn/h2/stream.hpp"
#include "http/head.hpp"
#include "http/response.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {

inline State state_of(const Request& r) {
  return r.stream != nullptr ? r.stream->state : r.connection->state;
}
void enter(Services& s, Stream& stream, State next);
inline void enter(Services& s, Request& r, State next) {
  if (r.stream != nullptr) return enter(s, *r.stream, next);
  enter(s, *r.connection, next);
}
// The promised answer cannot be completed, and nothing that was sent may look whole. Over HTTP/2
// the stream is reset, and the connection continues.
void abort(Services& s, Stream& stream);
inline void abort(Services& s, Request& r, Ending ending) {
  if (r.stream != nullptr) return abort(s, *r.stream);
  abort(s, *r.connection, ending);
}
inline void tick(Services& s, Request& r) {
  if (r.stream != nullptr) r.stream->ticks = true;
  s.tick(*r.connection);
}
inline void set_deadline(Services& s, Request& r, uint64_t at_ms) {
  if (r.stream != nullptr)
    r.stream->deadline_ms = at_ms;
  else
    s.set_deadline(*r.connection, at_ms);
}
// Whether a body for a backend was kept. Over HTTP/2 that was decided when the head came, and the
// site may have been replaced since.
inline bool keeps_body(const Request& r) {
  return r.stream == nullptr || r.stream->keeps_body;
}

// The head, which is there until consume_head(); views of it are invalid after a wait. Over
// HTTP/1.1 it is at the front of the input, and parsed again.
http::RequestHead head_again(const Services& s, Request& r);  // read_head.cpp
inline std::string_view head_text_of(const Request& r) {
  if (r.stream != nullptr) return r.stream->head;
  return {r.connection->input.data(), r.head_bytes};
}
inline void consume_head(Request& r) {
  if (r.stream != nullptr)
    std::string().swap(r.stream->head);
  else
    r.connection->input.begin += r.head_bytes;
  r.head_bytes = 0;
}

// The received part of the body that was not taken yet. Over HTTP/1.1 the head precedes it, and the
// next request may follow.
inline Span& input_of(Request& r) {
  return r.stream != nullptr ? r.stream->input : r.connection->input;
}
inline const Span& input_of(const Request& r) {
  return r.stream != nullptr ? r.stream->input : r.connection->input;
}
// The head is not consumed yet, and a part of the body has arrived.
inline bool body_has_begun(const Request& r) {
  if (r.stream != nullptr) return r.stream->ended || !r.stream->body.empty();
  return input_of(r).size() > r.head_bytes;
}
// The output for the response's bytes.
inline Span& output_of(Request& r) {
  return r.stream != nullptr ? r.stream->output : r.connection->output;
}
// To be called when the head of a final response is in the output.
inline void head_is_written(Request& r) {
  if (r.stream != nullptr) r.stream->head_end = r.stream->output.end;
}
// Writes the response's head into the output, in HTTP/1.1's form for both.
inline void write_head(Services& s, Request& r, const http::ResponseHead& head) {
  Span& output = output_of(r);
  output.hold(s.buffers, http::head_bytes_max(head));
  const size_t bytes = http::format_head(head, output.tail(), output.room());
  SPLICED_ASSERT(bytes > 0);  // http/response.hpp bounds every head
  output.end += bytes;
  head_is_written(r);
}

// Facts about the client and its connection.
inline const tls::ClientIdentity* client_of(const Request& r) {  // null: no certificate
  return r.connection->tls.client.get();
}
// HTTP/2: whether the client made the connection for another name; whether it was not asked for a
// certificate then, and would be now.
bool is_for_another_name(const Request& r, std::string_view host);
bool came_before_certificates(const Services& s, const Request& r);
inline std::string peer_address_of(const Request& r) {
  return os::peer_address(r.connection->socket);
}
inline bool is_local(const Request& r) {
  return os::peer_is_loopback(r.connection->socket);
}
inline bool is_canary(const Request& r) {
  return r.connection->place.canary;
}
inline bool is_offloaded(const Request& r) {  // the kernel encrypts, so pages and pipes can be sent
  return r.connection->tls.offloaded;
}
// Whether a backend's bytes may go from its socket to the client's through a pipe. Over HTTP/2 they
// go through the output.
inline bool relays_by_pipe(const Request& r) {
  return is_offloaded(r) && r.stream == nullptr;
}
// Over HTTP/2 frames delimit bodies (RFC 9113 8.2.2: no transfer coding).
inline bool frames_bodies(const Request& r) {
  return r.stream != nullptr;
}
// A WebSocket by RFC 8441: a 2xx tells its client that it is open.
inline bool opens_tunnel(const Request& r) {
  return r.stream != nullptr && !r.stream->websocket_accept.empty();
}
// Its backend has reset the WebSocket, or does not continue it; the stream is reset likewise (RFC
// 8441 5).
void cancel(Services& s, Stream& stream);
// Over HTTP/2: adds fields behind its body (http/trailers.hpp), as whole lines.
inline void trail(Request& r, std::string&& lines) {
  if (r.stream != nullptr) r.stream->trailers = std::move(lines);
}
inline bool client_hung_up(const Request& r) {  // the client is gone
  return r.connection->edges.peer_hung_up;
}
inline bool client_is_done(const Request& r) {  // the client will send nothing more
  if (r.stream != nullptr) return r.stream->ended && r.stream->body.empty();
  return r.connection->closing.peer_done || r.connection->edges.peer_hung_up;
}
inline void log_refusal(Services& s, const Request& r, const char* reason) {
  if (s.refusal_log != nullptr) s.refusal_log->add(r.connection->socket, reason, {});
}

// Sets the rate limit of its response (http::Route); the next response has its own. Over HTTP/2
// many share the connection, so the frames are held back instead (h2/pace.cpp).
void set_stream_rate(Stream& stream, uint64_t bytes_per_s);
inline void set_rate(Request& r, uint64_t bytes_per_s) {
  if (r.stream != nullptr) return set_stream_rate(*r.stream, bytes_per_s);
  Connection& c = *r.connection;
  if (c.rate_max_bytes_per_s == bytes_per_s) return;
  c.rate_max_bytes_per_s = bytes_per_s;
  os::set_rate_max(c.socket, bytes_per_s);
}

// The connection counts its requests.
inline void mark_served(Request& r) {
  r.connection->served = true;
}
inline bool has_requests_left(const Services& s, const Request& r) {
  return r.connection->requests < s.options.requests_per_connection_max;
}

// To be called before the ring gets an operation for it. Counts the operation until its completion,
// for the join. An operation whose result goes to `async_result` must be the only one of its
// request.
ring::Token token_of(const Stream& stream, ring::Kind kind);
inline ring::Token begin_operation(Request& r, ring::Kind kind) {
  r.connection->ops.inflight++;
  if (r.stream == nullptr) return token_of(*r.connection, kind);
  r.stream->inflight++;
  return token_of(*r.stream, kind);
}

}  // namespace spliced::conn
