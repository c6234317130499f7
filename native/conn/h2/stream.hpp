// SPDX-License-Identifier: Apache-2.0
// One stream of an HTTP/2 connection: a request with its response, and what a request needs that
// HTTP/1.1 finds in its connection. Its memory stays where it is while the ring holds anything of
// it.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "conn/buffer.hpp"
#include "conn/request/request.hpp"
#include "conn/state.hpp"
#include "http/head.hpp"

namespace spliced::conn {

struct Stream {
  Stream(Connection& c, uint32_t of_slot, uint32_t of_generation, int32_t of_id)
      : slot(of_slot), generation(of_generation), id(of_id), request(c) {
    request.stream = this;
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  const uint32_t slot, generation;
  const int32_t id;
  Request request;
  // ReadHead, ReadBody (the body is forgotten), then those that are a request's; Splice: the
  // response is on its way; Linger: it is out, and the rest of the request is forgotten; Join: it
  // is reset or closed, and the ring has perhaps something of it.
  State state = State::ReadHead;
  uint32_t inflight = 0;

  // The request.
  std::string head;              // as HTTP/1.1 has it, until it is consumed
  http::RequestHead parsed;      // views of that
  Span input;                    // of its body, where somebody takes it
  std::string websocket_accept;  // it opens a WebSocket: what its backend must answer
  bool keeps_body = false;       // for a backend or an upload; else it is forgotten
  std::string body;              // of it, what came and was not taken yet; bounded by the window
  bool body_ended = false;       // its end is in `input` too
  uint64_t discarded_bytes = 0;
  // Of what is not in `body` any more (forgotten, or on its way to an upload's file), what still
  // counts in the windows.
  size_t held_bytes = 0;
  bool ended = false;     // its last byte came
  bool complete = false;  // all that is waited for is there
  bool admitted = false;  // it has begun: its buffers count
  bool accepted = false;  // its head is a good one

  // The response: its head as HTTP/1.1 has it, until that is sent; then pieces of its body.
  Span output;
  uint64_t rate_max_bytes_per_s = 0;  // of its route; 0: none
  size_t head_end = 0;
  bool answered = false;
  bool informing = false;        // an interim response is not sent yet: one at a time
  std::string trailers;          // behind its body, as whole lines
  bool waits = false;            // next_piece() has said Later
  bool wants_pipe = false;       // ... because the others of its connection have all of them
  bool wants_lane = false;       // ... because of its route's rate
  bool waits_for_batch = false;  // ... because frames are being collected
  bool direct = false;         // the piece that was announced goes from the page cache or the pipe
  bool collected = false;      // ... with others
  uint64_t resident_turn = 0;  // request.resident_bytes were found in that

  // Time, as a connection's.
  uint64_t deadline_ms = 0;
  uint64_t marked_ms = 0, marked_bytes = 0;  // of its DATA, what had gone then
  uint64_t sent_bytes = 0;
  bool ticks = false;   // a tick is to run it
  bool queued = false;  // it is in Mux::ready
  bool closed = false;  // both sides are done with it
};

// A stream's place in the engine's table, by which the ring's completions find it.
struct StreamSlot {
  uint32_t slot = 0;
  uint32_t generation = 0;
  std::unique_ptr<Stream> stream;
};

}  // namespace spliced::conn
