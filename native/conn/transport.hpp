// SPDX-License-Identifier: Apache-2.0
// What a request asks of the connection that it came over, so that whoever decides about a request
// is given that alone. Over HTTP/1.1 a request has the whole connection: its state is the
// connection's, and what it sends is the connection's output. Here HTTP/2 will differ.
#pragma once
#include <string>
#include <string_view>

#include "base/assert.hpp"
#include "conn/dispatch.hpp"
#include "http/head.hpp"
#include "http/response.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {

inline State state_of(const Request& r) {
  return r.connection->state;
}
inline void enter(Services& s, Request& r, State next) {
  enter(s, *r.connection, next);
}
// It cannot be answered as was promised: nothing that was sent may look whole.
inline void abort(Services& s, Request& r, Ending ending) {
  abort(s, *r.connection, ending);
}
inline void tick(Services& s, Request& r) {
  s.tick(*r.connection);
}
inline void set_deadline(Services& s, Request& r, uint64_t at_ms) {
  s.set_deadline(*r.connection, at_ms);
}

// Its head, which is there until consume_head(); views of it do not outlive a wait. Over HTTP/1.1
// it is at the front of the input.
http::RequestHead head_again(const Services& s, Request& r);  // read_head.cpp
inline std::string_view head_text_of(Request& r) {
  return {r.connection->input.data(), r.head_bytes};
}
inline void consume_head(Request& r) {
  r.connection->input.begin += r.head_bytes;
  r.head_bytes = 0;
}

// What has come of its body and was not taken yet. Over HTTP/1.1 the head is before it, and the
// next request may be behind it.
inline Span& input_of(Request& r) {
  return r.connection->input;
}
inline const Span& input_of(const Request& r) {
  return r.connection->input;
}
// Where its response goes, as bytes.
inline Span& output_of(Request& r) {
  return r.connection->output;
}
// The response's head goes there.
inline void write_head(Services& s, Request& r, const http::ResponseHead& head) {
  Span& output = output_of(r);
  output.hold(s.buffers);
  const size_t bytes = http::format_head(head, output.tail(), output.room());
  SPLICED_ASSERT(bytes > 0);  // http/response.hpp bounds every head
  output.end += bytes;
}

// The client, and what it came by.
inline const tls::ClientIdentity* client_of(const Request& r) {  // null: it has shown none
  return r.connection->client.get();
}
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
inline bool client_hung_up(const Request& r) {  // nobody is there any more
  return r.connection->peer_hung_up;
}
inline bool client_is_done(const Request& r) {  // it will send nothing more
  return r.connection->peer_done || r.connection->peer_hung_up;
}
inline void log_refusal(Services& s, const Request& r, const char* reason) {
  if (s.refusal_log != nullptr) s.refusal_log->add(r.connection->socket, reason, {});
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
inline ring::Token begin_operation(Request& r, ring::Kind kind) {
  r.connection->inflight++;
  return token_of(*r.connection, kind);
}

}  // namespace spliced::conn
