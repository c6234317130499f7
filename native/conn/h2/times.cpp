// SPDX-License-Identifier: Apache-2.0
// What of an HTTP/2 connection takes too long: a header block, a request's body, a stream whose
// window the client keeps shut, a socket that takes nothing, nothing at all for a while. The rate
// is that of HTTP/1.1's responses; a stream's stall is its own, the socket's that of the
// connection.
#include <algorithm>

#include "conn/h2/mux.hpp"
#include "conn/proxy/exchange.hpp"
#include "conn/transport.hpp"

namespace spliced::conn {
namespace {

void count(Services& s, Overdue clock) {
  s.figures.overdue[static_cast<size_t>(clock)].add();
}

void sooner(uint64_t& at_ms, uint64_t other_ms) {
  if (other_ms != 0 && (at_ms == 0 || other_ms < at_ms)) at_ms = other_ms;
}

uint64_t head_due(const Services& s, const Mux& m) {
  return m.head_began_ms == 0 ? 0 : m.head_began_ms + s.options.head_timeout_ms;
}

// The client lets so little through, by its window, that nobody reads there.
bool is_stalled(const Services& s, const Mux& m, const Stream& st) {
  if (!st.answered || st.waits || !m.session->window_is_closed(st.id)) return false;
  const uint64_t elapsed_ms = s.now_ms - st.marked_ms, sent = st.sent_bytes - st.marked_bytes;
  uint64_t least = s.options.send_rate_min_bytes_per_s;
  if (st.rate_max_bytes_per_s > 0) least = std::min(least, st.rate_max_bytes_per_s / 2);
  return sent == 0 || sent < elapsed_ms * least / 1000;
}

void give_up(Services& s, Mux& m, Stream& st) {
  count(s, Overdue::Stall);
  s.figures.streams_stalled.add();
  m.session->reset(st.id, h2::Code::Cancel);
  enter(s, st, State::Join);
}

void judge(Services& s, Mux& m, Stream& st) {
  switch (st.state) {
    case State::ReadHead:
    case State::ReadBody:
      count(s, Overdue::Request);
      m.session->reset(st.id, h2::Code::Cancel);
      return enter(s, st, State::Join);
    case State::Linger:
      m.session->reset(st.id, h2::Code::NoError);
      return enter(s, st, State::Join);
    case State::OpenFile:
      return abort(s, st);
    case State::Splice:
      if (is_stalled(s, m, st)) return give_up(s, m, st);
      return enter(s, st, st.state);
    case State::Receive:
      m.queue(st);
      return on_upload_deadline(s, st.request);
    case State::Connect:
    case State::Exchange:
    case State::Tunnel:
      if (!client_owes(st.request)) {
        m.queue(st);  // there may be an answer to send
        return on_exchange_deadline(s, st.request);
      }
      if (is_stalled(s, m, st)) return give_up(s, m, st);
      st.request.exchange->heard_ms = s.now_ms;  // the backend could not be heard
      return enter(s, st, st.state);
    default:
      return;
  }
}

}  // namespace

void arm_http2(Services& s, Connection& c) {
  Mux& m = *c.h2;
  uint64_t at_ms = head_due(s, m);
  if (m.open == 0) sooner(at_ms, c.place.waiting_since_ms + s.options.idle_timeout_ms);
  for (const Stream* st : m.streams) sooner(at_ms, st->deadline_ms);
  if (m.busy) sooner(at_ms, c.times.stall_due_ms);
  sooner(at_ms, m.lane_due_ms());
  if (m.end_announced_ms != 0 && !m.going_away)
    sooner(at_ms, m.end_announced_ms + limits::kGoAwayGraceMs);
  s.set_deadline(c, at_ms);
}

void on_http2_deadline(Services& s, Connection& c) {
  Mux& m = *c.h2;
  m.give_lane();
  if (m.busy && c.times.stall_due_ms <= s.now_ms) {
    extend_or_abort(s, c, s.options.stall_timeout_ms);
    if (c.state == State::Join) return;
  }
  const uint64_t head_ms = head_due(s, m);
  if (head_ms != 0 && head_ms <= s.now_ms && !m.terminated) {
    count(s, Overdue::Head);
    m.terminated = true;
    m.head_began_ms = 0;
    m.session->terminate(h2::Code::EnhanceYourCalm);
  }
  for (Stream* st : m.streams)
    if (st->deadline_ms != 0 && st->deadline_ms <= s.now_ms) judge(s, m, *st);
  const bool unserved = s.stopping && !c.served && s.now_ms >= s.first_requests_until_ms;
  const bool idle = s.now_ms - c.place.waiting_since_ms >= s.options.idle_timeout_ms;
  if (m.open > 0 || m.going_away || m.terminated || !(idle || unserved)) return;
  count(s, Overdue::Idle);
  m.end_gracefully();
}

}  // namespace spliced::conn
