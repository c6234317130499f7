// SPDX-License-Identifier: Apache-2.0
// What a request asks of the connection that it came over, so that whoever decides about a request
// is given that alone. Over HTTP/1.1 a request has the whole connection: its state is the
// connection's, and what it sends is the connection's output. Over HTTP/2 it has a stream, with a
// state, an input and an output of its own; here is where the two differ.
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
// It cannot be answered as was promised: nothing that was sent may look whole. Over HTTP/2 the
// stream is reset, and the connection goes on.
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
// A body that belongs to a backend was kept for it. Over HTTP/2 that was decided when the head
// came, and another site may be served since.
inline bool keeps_body(const Request& r) {
  return r.stream == nullptr || r.stream->keeps_body;
}

// Its head, which is there until consume_head(); views of it do not outlive a wait. Over HTTP/1.1
// it is at the front of the input.
http::RequestHead head_again(const Services& s, Request& r);  // read_head.cpp
inline std::string_view head_text_of(const Request& r) {
  if (r.stream != nullptr) return r.stream->head;
  return {r.connection->input.data(), r.head_bytes};
}
// From the head on, all that is there.
inline std::string_view received_of(const Request& r) {
  if (r.stream != nullptr) return r.stream->head;
  return {r.connection->input.data(), r.connection->input.size()};
}
inline void consume_head(Request& r) {
  if (r.stream != nullptr)
    std::string().swap(r.stream->head);
  else
    r.connection->input.begin += r.head_bytes;
  r.head_bytes = 0;
}

// What has come of its body and was not taken yet. Over HTTP/1.1 the head is before it, and the
// next request may be behind it.
inline Span& input_of(Request& r) {
  return r.stream != nullptr ? r.stream->input : r.connection->input;
}
inline const Span& input_of(const Request& r) {
  return r.stream != nullptr ? r.stream->input : r.connection->input;
}
// The head is not consumed yet, and something of the body is here.
inline bool body_has_begun(const Request& r) {
  if (r.stream != nullptr) return r.stream->ended || !r.stream->body.empty();
  return input_of(r).size() > r.head_bytes;
}
// Where its response goes, as bytes.
inline Span& output_of(Request& r) {
  return r.stream != nullptr ? r.stream->output : r.connection->output;
}
// A final response's head has been put into the output.
inline void head_is_written(Request& r) {
  if (r.stream != nullptr) r.stream->head_end = r.stream->output.end;
}
// The response's head goes there, in HTTP/1.1's form for both.
inline void write_head(Services& s, Request& r, const http::ResponseHead& head) {
  Span& output = output_of(r);
  output.hold(s.buffers, http::head_bytes_max(head));
  const size_t bytes = http::format_head(head, output.tail(), output.room());
  SPLICED_ASSERT(bytes > 0);  // http/response.hpp bounds every head
  output.end += bytes;
  head_is_written(r);
}

// The client, and what it came by.
inline const tls::ClientIdentity* client_of(const Request& r) {  // null: it has shown none
  return r.connection->client.get();
}
// HTTP/2: the client was asked for its certificate when it came for another name, or was not asked,
// as it would be now.
bool is_for_another_name(const Request& r, std::string_view host);
bool came_before_certificates(const Services& s, const Request& r);
inline std::string peer_address_of(const Request& r) {
  return os::peer_address(r.connection->socket);
}
inline bool is_local(const Request& r) {
  return os::peer_is_loopback(r.connection->socket);
}
inline bool is_canary(const Request& r) {
  return r.connection->canary;
}
inline bool is_offloaded(const Request& r) {  // the kernel encrypts: pages and pipes can be sent
  return r.connection->offloaded;
}
// What a backend sends may go from its socket to the client's by a pipe; over HTTP/2 it goes by way
// of the output.
inline bool relays_by_pipe(const Request& r) {
  return is_offloaded(r) && r.stream == nullptr;
}
// Over HTTP/2 frames say where a body ends (RFC 9113 8.2.2: no transfer coding).
inline bool frames_bodies(const Request& r) {
  return r.stream != nullptr;
}
// A WebSocket by RFC 8441: to its client a 2xx says that it is open.
inline bool opens_tunnel(const Request& r) {
  return r.stream != nullptr && !r.stream->websocket_accept.empty();
}
// Its backend has reset it, or does not go on: so does the stream (RFC 8441 5).
void cancel(Services& s, Stream& stream);
// Over HTTP/2: fields that go behind its body (http/trailers.hpp), as whole lines.
inline void trail(Request& r, std::string&& lines) {
  if (r.stream != nullptr) r.stream->trailers = std::move(lines);
}
inline bool client_hung_up(const Request& r) {  // nobody is there any more
  return r.connection->peer_hung_up;
}
inline bool client_is_done(const Request& r) {  // it will send nothing more
  if (r.stream != nullptr) return r.stream->ended && r.stream->body.empty();
  return r.connection->peer_done || r.connection->peer_hung_up;
}
inline void log_refusal(Services& s, const Request& r, const char* reason) {
  if (s.refusal_log != nullptr) s.refusal_log->add(r.connection->socket, reason, {});
}

// How fast its response may go (http::Route); the next one's has its own. Over HTTP/2 many share
// the connection: there the frames are held back (h2/pace.cpp).
void set_stream_rate(Stream& stream, uint64_t bytes_per_s);
inline void set_rate(Request& r, uint64_t bytes_per_s) {
  if (r.stream != nullptr) return set_stream_rate(*r.stream, bytes_per_s);
  Connection& c = *r.connection;
  if (c.rate_max_bytes_per_s == bytes_per_s) return;
  c.rate_max_bytes_per_s = bytes_per_s;
  os::set_rate_max(c.socket, bytes_per_s);
}

// The connection's account of its requests.
inline void mark_served(Request& r) {
  r.connection->served = true;
}
inline bool has_requests_left(const Services& s, const Request& r) {
  return r.connection->requests < s.options.requests_per_connection_max;
}

// Before the ring is given something to do for it: counted until the completion, and joined. An
// operation that answers in `async_result` is the only one of its request.
ring::Token token_of(const Stream& stream, ring::Kind kind);
inline ring::Token begin_operation(Request& r, ring::Kind kind) {
  r.connection->inflight++;
  if (r.stream == nullptr) return token_of(*r.connection, kind);
  r.stream->inflight++;
  return token_of(*r.stream, kind);
}

}  // namespace spliced::conn
