// SPDX-License-Identifier: Apache-2.0
// One request to a backend, and its response, in the states Connect, Exchange and Tunnel.
//
//   client -> input -> to_upstream, or pipe, or straight -> backend        forward.cpp
//   backend -> from_upstream, or r.pipe -> output -> client                relay.cpp
//
// Both directions are pumped in turn until neither moves. An end that does not read stops the
// other: each direction holds at most one buffer of the pool, or one piece in a pipe. Towards the
// client the ledger bounds what is pending, as for files.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "conn/proxy/upstream.hpp"
#include "conn/services.hpp"
#include "http/upstream_request.hpp"
#include "http/upstream_response.hpp"
#include "http/websocket.hpp"

namespace spliced::conn {

struct Exchange {
  uint32_t upstream = kNoSlot;  // in Upstreams::slots; kNoSlot: let go
  http::Method method = http::Method::Other;
  uint8_t client_minor_version = 0;
  bool wants_html = false;  // from a browser: an error page may reload itself
  bool upgrades = false;    // to a WebSocket
  bool retried = false;
  bool check = false;            // it is a check of a request, see check.hpp
  std::string check_key;         // key of the check; empty: it must not be remembered
  std::string conditions, host;  // of the request, if the answer may name a file: hand_over.hpp
  uint64_t heard_ms = 0;         // when the backend last accepted or sent bytes

  // The request. If it has no body, its head stays in `to_upstream` until the response has begun,
  // so that it can be sent again.
  Span to_upstream;
  http::BodyReader request_body;
  bool has_body = false, chunked = false;
  bool asked = false;             // the backend has a byte of it, so its bytes can be an answer
  bool request_over = false;      // all of it is in `to_upstream` or the pipe, or sent
  bool request_given_up = false;  // the backend does not accept the rest
  os::Pipe pipe;
  size_t pipe_bytes = 0;
  // Of the body, from the client: in all, and at the last look.
  uint64_t fed_bytes = 0, fed_mark = 0;
  uint64_t fed_ms = 0;  // time of that look

  // The response.
  Span from_upstream;
  bool answered = false;   // a byte of it has arrived
  bool head_done = false;  // the head for the client is in the output or sent
  bool head_left = false;  // a byte of the head may have been sent, so it cannot be replaced
  uint16_t status = 0;     // of the head for the client
  bool response_over = false;
  bool upstream_persists = false;
  bool event_stream = false;
  bool tunnel = false;
  bool half_closed = false;  // Tunnel: nothing more is sent to the backend
  bool measured = false;     // the client's time runs, see client_owes()
  uint32_t interim = 0;
  http::Framing from = http::Framing::None, to = http::Framing::None;
  http::BodyReader response_body;
  bool takes_trailers = false;  // the client accepts trailers; over HTTP/1.1 it must say so
  std::string trailers, connection_names;  // the section, and the names in the head's Connection
  size_t direct_bytes = 0;                 // of r.pipe: whole records, sent by splice

  http::WebSocketFrames downwards, upwards;

  // Counts bytes of the request's body that have arrived and go on.
  void took(size_t bytes) {
    request_body.pass(bytes);
    fed_bytes += bytes;
    request_over = request_body.done();
  }
};

// Result of a pump. Ended: the state has changed.
enum class Flow : uint8_t { Moved, Blocked, Ended };

// exchange.cpp. Calls `write` with the facts about the client for a backend's head; returns its
// result.
bool with_forwarding(Services& s, Request& r, std::string_view host,
                     const std::function<bool(const http::Forwarding&)>& write);
// Bytes that the request's head needs when it is written for a backend.
size_t room_for_request(const Services& s, Request& r);
// Enters Connect, or Exchange if an idle connection exists. False: no connection can be made.
bool obtain_upstream(Services& s, Request& r, bool fresh);
// ReadHead -> Connect, Exchange, or Respond with an error. `host`: of the target, else of the Host
// field.
void begin_proxy(Services& s, Request& r, const http::RequestHead& request, std::string_view host);
// The backend failed. If the head has not been sent to the client: an error page, and Respond.
// Otherwise the connection ends without close_notify.
Flow fail_exchange(Services& s, Request& r, UpstreamFailure failure);
// The client failed: likewise, with this status.
Flow refuse_exchange(Services& s, Request& r, uint16_t status);
// The backend closed before the first byte of the response. The request is sent again if that is
// safe (RFC 9110 9.2.2).
Flow upstream_has_left(Services& s, Request& r);
void let_go_of_upstream(Services& s, Request& r);
void release_exchange(Services& s, Request& r);
Upstream& upstream_of(Services& s, Request& r);
uint32_t upstream_timeout_ms(const Request& r);
// Sets the deadline at which on_exchange_deadline() checks for progress.
void arm_exchange(Services& s, Request& r);
// A time other than the client's is over. Deadline of Connect, Exchange and Tunnel while
// !client_owes().
void on_exchange_deadline(Services& s, Request& r);

// forward.cpp, relay.cpp.
Flow forward(Services& s, Request& r);
Flow relay(Services& s, Request& r);
// Reads once into from_upstream, which has room.
os::Received read_upstream(Services& s, Request& r);

// exchange_client.cpp. Sends what is ready for the client; Moved when all of it is sent.
Flow send_ready(Services& s, Request& r);
// Receives more from the client into the input.
Flow receive_more(Services& s, Request& r);
// The same into the exchange's pipe, with kernel TLS. Blocked: nothing has arrived. Moved with an
// empty pipe: splice cannot do it.
Flow splice_received(Services& s, Request& r);
// The request is complete. Anything else from the client is its next request, or its end.
Flow watch_client(Services& s, Request& r);
// Whether the exchange has waited for the client, which has not caught up since. Then the client's
// time runs, measured as for any response (deadline.cpp), over all that the backend sends
// meanwhile.
bool client_owes(Request& r);

// HTTP/2, h2/exchange.cpp: the same four for a stream, and an interim response (RFC 9110 15.2) that
// is in the output.
Flow send_ready_frames(Services& s, Request& r);
Flow take_stream_body(Services& s, Request& r);
bool stream_client_owes(const Request& r);
void inform_client(Services& s, Request& r);

// tunnel.cpp: Exchange -> Tunnel; the 101 is in the output.
void begin_tunnel(Services& s, Request& r);

}  // namespace spliced::conn
