// SPDX-License-Identifier: Apache-2.0
// One request that goes to a backend, and its response, in the states Connect, Exchange and Tunnel.
//
//   client -> input -> to_upstream, or pipe, or straight -> backend        forward.cpp
//   backend -> from_upstream, or r.pipe -> output -> client                relay.cpp
//
// Both directions are pumped in turn until neither moves. An end that does not read holds the other
// back: each direction has at most one buffer of the pool, or one piece in a pipe, and towards the
// client the ledger limits what is pending, as for files.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "conn/request/upstream.hpp"
#include "conn/services.hpp"
#include "http/upstream_request.hpp"
#include "http/upstream_response.hpp"
#include "http/websocket.hpp"

namespace spliced::conn {

struct Exchange {
  uint32_t upstream = kNoSlot;  // Upstreams::slots; kNoSlot: it has been let go
  http::Method method = http::Method::Other;
  uint8_t client_minor_version = 0;
  bool wants_html = false;  // a browser's page, which may be told to come again
  bool upgrades = false;    // to a WebSocket
  bool retried = false;
  bool check = false;            // it asks whether the request may be served: check.hpp
  std::string check_key;         // of a check that may be remembered
  std::string conditions, host;  // of the request, where its answer may name a file: hand_over.hpp
  uint64_t heard_ms = 0;         // when the backend last took or gave anything

  // The request. Without a body its head stays in `to_upstream` until the response has begun, for a
  // second attempt.
  Span to_upstream;
  http::BodyReader request_body;
  bool has_body = false, chunked = false;
  bool asked = false;             // the backend has a byte of it: what it sends can be an answer
  bool request_over = false;      // all of it is in `to_upstream`, in the pipe, or sent
  bool request_given_up = false;  // the backend does not take the rest
  os::Pipe pipe;
  size_t pipe_bytes = 0;
  uint64_t fed_bytes = 0, fed_mark = 0;  // of the body, from the client; at the last look
  uint64_t fed_ms = 0;                   // when that was

  // The response.
  Span from_upstream;
  bool answered = false;   // a byte of it has come
  bool head_done = false;  // the client's head is in the output or sent
  bool head_left = false;  // a byte of it may have been sent: no other can take its place
  uint16_t status = 0;     // of that head
  bool response_over = false;
  bool upstream_persists = false;
  bool event_stream = false;
  bool tunnel = false;
  bool half_closed = false;  // Tunnel: the backend gets nothing more
  bool measured = false;  // the client had to be waited for: its time runs, see client_owes()
  uint32_t interim = 0;
  http::Framing from = http::Framing::None, to = http::Framing::None;
  http::BodyReader response_body;
  bool takes_trailers = false;       // the client, over HTTP/1.1 where it says so
  std::string trailers, connection_names;  // the section, and what its head's Connection names
  size_t direct_bytes = 0;  // of r.pipe, whole records that go by splice

  http::WebSocketFrames downwards, upwards;

  // So much more of the request's body has come, and is on its way.
  void took(size_t bytes) {
    request_body.pass(bytes);
    fed_bytes += bytes;
    request_over = request_body.done();
  }
};

// What a pump did. Ended: the state has changed.
enum class Flow : uint8_t { Moved, Blocked, Ended };

// exchange.cpp. The fields that say who asks, for a head that `write` writes; its answer.
bool with_forwarding(Services& s, Request& r, std::string_view host,
                     const std::function<bool(const http::Forwarding&)>& write);
// What the request's head needs as it is written for a backend.
size_t room_for_request(const Services& s, Request& r);
// Connect, or Exchange where a connection is at hand; false where none can be had.
bool obtain_upstream(Services& s, Request& r, bool fresh);
// ReadHead -> Connect, Exchange, or Respond with what is wrong. `host`: of the
// target, else of the field.
void begin_proxy(Services& s, Request& r, const http::RequestHead& request, std::string_view host);
// The backend failed. Before the head has gone to the client: a page, and Respond. Afterwards the
// connection ends without close_notify.
Flow fail_exchange(Services& s, Request& r, UpstreamFailure failure);
// The client failed: likewise, with this status.
Flow refuse_exchange(Services& s, Request& r, uint16_t status);
// It ended before a byte of the response had come. Once more where that is safe (RFC 9110 9.2.2).
Flow upstream_has_left(Services& s, Request& r);
void let_go_of_upstream(Services& s, Request& r);
void release_exchange(Services& s, Request& r);
Upstream& upstream_of(Services& s, Request& r);
uint32_t upstream_timeout_ms(const Request& r);
// When somebody must look whether the other end still moves.
void arm_exchange(Services& s, Request& r);
// Everybody else's time is over. Deadline of Connect, Exchange and Tunnel where !client_owes().
void on_exchange_deadline(Services& s, Request& r);

// forward.cpp, relay.cpp.
Flow forward(Services& s, Request& r);
Flow relay(Services& s, Request& r);
// One read into from_upstream, which has room.
os::Received read_upstream(Services& s, Request& r);

// exchange_client.cpp. What is ready for the client; Moved when all of it is sent.
Flow send_ready(Services& s, Request& r);
// More of what the client sends, into the input.
Flow receive_more(Services& s, Request& r);
// The same into the exchange's pipe, with kernel TLS. Blocked: there is nothing; Moved with an
// empty pipe: not this way.
Flow splice_received(Services& s, Request& r);
// The request is all there. What else the client sends is the next one, or its end.
Flow watch_client(Services& s, Request& r);
// The client had to be waited for, and has not caught up since: it is its time that runs, measured
// as that of any response (deadline.cpp), over all that the backend sends meanwhile.
bool client_owes(Request& r);

// HTTP/2, h2/exchange.cpp: these four for a stream, and an interim response (RFC 9110 15.2) that is
// in the output.
Flow send_ready_frames(Services& s, Request& r);
Flow take_stream_body(Services& s, Request& r);
bool stream_client_owes(const Request& r);
void inform_client(Services& s, Request& r);

// tunnel.cpp: Exchange -> Tunnel; the 101 is in the output.
void begin_tunnel(Services& s, Request& r);

}  // namespace spliced::conn
