// SPDX-License-Identifier: Apache-2.0
// A body whose route takes none: it is read to its end and discarded, so that the next request can
// be found behind it. The head stays at the front of c.input, and the body passes through the rest
// of it.
#include <cstring>

#include "conn/dispatch.hpp"
#include "conn/input.hpp"
#include "conn/request/routing.hpp"

namespace spliced::conn {
namespace {

using Verdict = http::BodyReader::Verdict;

// Removes the body's bytes behind the head from c.input. True: the request is answered.
bool skip(Services& s, Connection& c) {
  char* const behind = c.input.data() + c.request.head_bytes;
  const size_t bytes = c.input.size() - c.request.head_bytes;
  const http::BodyReader::Result result = c.request.body.feed({behind, bytes});
  switch (result.verdict) {
    case Verdict::More:
      c.input.end -= bytes;
      return false;
    case Verdict::Done:
      std::memmove(behind, behind + result.consumed, bytes - result.consumed);
      c.input.end -= result.consumed;
      answer_request(s, c.request);
      return true;
    case Verdict::TooLarge:  // the answer, then the end of the connection: body.done() is false
      answer_request(s, c.request);
      return true;
    case Verdict::Bad:
      refuse_body(s, c.request);
      return true;
  }
  return false;
}

}  // namespace

Turn read_body(Services& s, Connection& c) {
  if (skip(s, c)) return Turn::Again;
  for (int i = 0; c.edges.readable && i < limits::kDiscardsPerTurn; i++) {
    Turn turn;
    if (!receive(s, c, turn)) {
      if (turn == Turn::Wait) watch_last_response(s, c);
      return turn;
    }
    if (skip(s, c)) return Turn::Again;
  }
  if (c.edges.readable) return Turn::Yield;
  watch_last_response(s, c);
  return Turn::Wait;
}

}  // namespace spliced::conn
