// SPDX-License-Identifier: Apache-2.0
// A route's rate (http::Route::rate_max_bytes_per_s) over HTTP/2. TCP's pacing would hold the other
// streams back too, so what such routes send shares one lane of its connection: a DATA frame keeps
// it for as long as its bytes take at its stream's rate. One stream alone has its rate, those of
// one route have it together, as if HTTP/1.1 had sent them one after the other; streams of routes
// without a rate go past them.
#include <algorithm>
#include <utility>

#include "conn/h2/mux.hpp"
#include "conn/transport.hpp"

namespace spliced::conn {
namespace {

constexpr uint64_t kUsPerMs = 1000, kUsPerS = 1'000'000;

bool lane_is_free(const Mux& m) {
  return m.lane_free_us <= m.s.now_ms * kUsPerMs;
}

}  // namespace

void set_stream_rate(Stream& st, uint64_t bytes_per_s) {
  st.rate_max_bytes_per_s = bytes_per_s;
}

bool Mux::may_send(Stream& st, size_t& most) {
  const uint64_t rate = st.rate_max_bytes_per_s;
  if (rate == 0) return true;
  const uint64_t smooth = rate * kPacedFrameMs / 1000;
  most = static_cast<size_t>(
      std::min<uint64_t>(most, std::max<uint64_t>(smooth, limits::kFrameRoomMin)));
  if (lane_is_free(*this)) return true;
  st.wants_lane = lane_wanted = true;
  return false;
}

void Mux::charge_lane(const Stream& st, size_t bytes) {
  if (st.rate_max_bytes_per_s == 0) return;
  // Who was woken late catches up, so that the rate is met; who was idle saves up no more.
  const uint64_t now_us = s.now_ms * kUsPerMs;
  const uint64_t saved_us = std::min(now_us, kPacedBurstMs * kUsPerMs);
  lane_free_us = std::max(lane_free_us, now_us - saved_us);
  lane_free_us += bytes * kUsPerS / st.rate_max_bytes_per_s;
}

void Mux::give_lane() {
  if (!lane_wanted || !lane_is_free(*this)) return;
  lane_wanted = false;
  for (Stream* st : streams)
    if (std::exchange(st->wants_lane, false)) wake(*st);
}

uint64_t Mux::lane_due_ms() const {
  return lane_wanted ? lane_free_us / kUsPerMs + 1 : 0;
}

}  // namespace spliced::conn
