// SPDX-License-Identifier: Apache-2.0
// Between requests: reads until a head is complete and passes it to routing.cpp. A head that
// arrives byte by byte has its turns as everything else.
#include "base/assert.hpp"
#include "conn/dispatch.hpp"
#include "conn/input.hpp"
#include "conn/proxy/hand_over.hpp"
#include "conn/request/answer.hpp"
#include "conn/request/routing.hpp"
#include "conn/transport.hpp"
#include "http/head.hpp"

namespace spliced::conn {
namespace {

// Again: a head was complete and the state changed. Wait: more bytes are needed.
Turn parse(Services& s, Connection& c) {
  http::RequestHead head;
  const http::HeadResult result =
      http::parse_head({c.input.data(), c.input.size()}, head, s.options.head);
  switch (result.outcome) {
    case http::Outcome::Incomplete:
      return Turn::Wait;
    case http::Outcome::Complete:
      c.request.head_bytes = result.consumed;
      c.requests++;
      begin_request(s, c.request, head);
      return Turn::Again;
    case http::Outcome::Rejected:
      respond_error(s, c.request, result.status, /*keep_alive=*/false,
                    /*send_body=*/head.method != http::Method::Head);
      return Turn::Again;
  }
  return Turn::Wait;
}

// Nothing to read for now.
Turn rest(Services& s, Connection& c) {
  watch_last_response(s, c);
  if (s.stopping && c.served) {
    begin_close(s, c);
    return Turn::Again;
  }
  if (c.input.empty()) c.input.release(s.buffers);
  return Turn::Wait;
}

}  // namespace

void begin_head(Services& s, Connection& c) {
  c.request.began_ms = s.now_ms;
  s.set_deadline(c, s.now_ms + s.options.head_timeout_ms);
}

http::RequestHead head_again(const Services& s, Request& r) {
  if (r.handed) return head_of_handed(r);
  if (r.stream != nullptr) return r.stream->parsed;
  http::RequestHead request;
  const Span& input = r.connection->input;
  const http::HeadResult again =
      http::parse_head({input.data(), input.size()}, request, s.options.head);
  SPLICED_ASSERT(again.outcome == http::Outcome::Complete && again.consumed == r.head_bytes);
  return request;
}

Turn read_head(Services& s, Connection& c) {
  if (!c.input.empty() && parse(s, c) == Turn::Again) return Turn::Again;
  for (int reads = 0; c.edges.readable; reads++) {
    if (reads == limits::kReadsPerTurn) return Turn::Yield;
    const bool first = c.input.empty();
    Turn turn;
    if (!receive(s, c, turn)) {
      if (turn != Turn::Wait) return turn;
      c.edges.prompt = false;
      return rest(s, c);
    }
    if (first) begin_head(s, c);
    if (parse(s, c) == Turn::Again) return Turn::Again;
  }
  return rest(s, c);
}

}  // namespace spliced::conn
