// SPDX-License-Identifier: Apache-2.0
// See upstream.hpp.
#include "conn/proxy/upstream.hpp"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "conn/services.hpp"
#include "os/upstream_socket.hpp"

namespace spliced::conn {
namespace {

ring::Token token_of(const Upstream& u) {
  return {ring::Kind::Upstream, u.slot, u.generation};
}

void forget_idle(Services& s, Upstream& u) {
  auto& idle = s.upstreams.idle;
  idle.erase(std::find(idle.begin(), idle.end(), u.slot));
  s.figures.upstreams_idle.sub();
}

void free_if_joined(Services& s, Upstream& u) {
  if (u.inflight > 0) return;
  s.closer.close(u.socket);
  s.figures.upstreams_open.sub();
  Upstream fresh;
  fresh.slot = u.slot;
  fresh.generation = u.generation + 1;
  u = std::move(fresh);
  s.upstreams.slots.give(u);
}

}  // namespace

const char* const kUpstreamFailureNames[kUpstreamFailures] = {
    "refused",  "connect_timeout", "response_timeout", "closed",
    "bad_head", "truncated",       "exhausted"};

Upstream* take_idle_upstream(Services& s, const std::string& address, Request& owner) {
  auto& idle = s.upstreams.idle;
  for (size_t i = idle.size(); i-- > 0;) {  // the last used is the most likely to be alive
    Upstream& u = s.upstreams.slots[idle[i]];
    if (u.address != address) continue;
    if (!os::is_quiet(u.socket)) {  // it has ended, or has sent bytes without a request
      end_upstream(s, u);
      i = std::min(i, idle.size());
      continue;
    }
    forget_idle(s, u);
    u.state = Upstream::State::Busy;
    u.owner = &owner;
    u.reused = true;
    u.readable = u.writable = true;
    s.figures.upstreams_reused.add();
    return &u;
  }
  return nullptr;
}

Upstream* open_upstream(Services& s, const std::string& address, Request& owner) {
  if (!s.upstreams.slots.has_room()) return nullptr;
  const int socket = os::open_upstream(address);
  if (socket < 0) return nullptr;
  Upstream& u = s.upstreams.slots.take();
  u.state = Upstream::State::Busy;
  u.socket = socket;
  u.address = address;
  u.owner = &owner;
  s.figures.upstreams_open.add();
  s.figures.upstreams_opened.add();
  return &u;
}

void watch_upstream(Services& s, Upstream& u) {
  if (u.watching) return;
  s.ring.watch(u.socket, token_of(u));
  u.watching = true;
  u.inflight++;
}

void keep_upstream(Services& s, Upstream& u) {
  auto& idle = s.upstreams.idle;
  if (s.stopping) return end_upstream(s, u);
  if (idle.size() >= limits::kUpstreamsIdleMax) end_upstream(s, s.upstreams.slots[idle.front()]);
  u.state = Upstream::State::Idle;
  u.owner = nullptr;
  u.idle_until_ms = s.now_ms + limits::kUpstreamIdleMs;
  idle.push_back(u.slot);
  s.figures.upstreams_idle.add();
}

void end_upstream(Services& s, Upstream& u) {
  SPLICED_ASSERT(u.state == Upstream::State::Busy || u.state == Upstream::State::Idle);
  if (u.state == Upstream::State::Idle) forget_idle(s, u);
  u.state = Upstream::State::Join;
  u.owner = nullptr;
  if (std::exchange(u.watching, false)) s.ring.cancel(u.socket, token_of(u));
  free_if_joined(s, u);
}

Request* on_upstream_completion(Services& s, const ring::Completion& completion) {
  const ring::Token token = completion.token;
  auto& slots = s.upstreams.slots;
  Upstream* u = token.slot < slots.size() ? &slots[token.slot] : nullptr;
  if (u == nullptr || u->state == Upstream::State::Free || u->generation != token.generation) {
    s.figures.stale_completions.add();
    return nullptr;
  }
  if (!completion.more) {
    SPLICED_ASSERT(u->inflight > 0);
    u->inflight--;
    u->watching = false;
  }
  if (u->state == Upstream::State::Join) {
    free_if_joined(s, *u);
    return nullptr;
  }
  // If a watch fails, examining the socket shows its state.
  const int events = completion.result < 0 ? POLLERR : completion.result;
  if (events & (POLLIN | POLLRDHUP | POLLHUP | POLLERR)) u->readable = true;
  if (events & (POLLOUT | POLLHUP | POLLERR)) u->writable = true;
  if (!completion.more && completion.result >= 0) watch_upstream(s, *u);
  if (u->state == Upstream::State::Busy) return u->owner;
  if (completion.result < 0 || !os::is_quiet(u->socket)) end_upstream(s, *u);
  return nullptr;
}

void sweep_upstreams(Services& s) {
  auto& idle = s.upstreams.idle;
  while (!idle.empty() && s.upstreams.slots[idle.front()].idle_until_ms <= s.now_ms)
    end_upstream(s, s.upstreams.slots[idle.front()]);
}

void end_idle_upstreams(Services& s) {
  while (!s.upstreams.idle.empty()) end_upstream(s, s.upstreams.slots[s.upstreams.idle.front()]);
}

uint64_t next_upstream_sweep_ms(const Services& s) {
  const auto& idle = s.upstreams.idle;
  return idle.empty() ? UINT64_MAX : s.upstreams.slots[idle.front()].idle_until_ms;
}

}  // namespace spliced::conn
