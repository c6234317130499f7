// SPDX-License-Identifier: Apache-2.0
// Connections to backends. Each has a slot of its own here, with one watch for its whole life, and
// belongs to at most one client's request at a time. Between two requests it is kept idle.
//
//   Free -> Busy <-> Idle -> Join -> Free      (Busy -> Join too)
//
// As with clients, the closer alone closes a socket, after the ring has completed all its
// operations.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/limits.hpp"
#include "base/slot_table.hpp"
#include "ring/ring.hpp"

namespace spliced::conn {

struct Services;
struct Request;

struct Upstream {
  enum class State : uint8_t { Free, Busy, Idle, Join };

  uint32_t slot = 0;
  uint32_t generation = 0;
  State state = State::Free;
  int socket = -1;  // owned; closed by os::Closer alone
  uint32_t inflight = 0;
  bool watching = false;
  bool reused = false;  // it has answered a request before
  // Edge-triggered hints: "try", cleared by WouldBlock.
  bool readable = false, writable = false;
  Request* owner = nullptr;  // Busy: the request whose exchange it serves
  std::string address;
  uint64_t idle_until_ms = 0;
};

// All connections of an engine: one for each request, and idle ones.
struct Upstreams {
  // Those that are ending have slots of their own, because many may end while as many begin.
  explicit Upstreams(size_t requests) : slots(2 * requests + limits::kUpstreamsIdleMax) {}

  base::SlotTable<Upstream> slots;
  std::vector<uint32_t> idle;  // longest idle first; at most limits::kUpstreamsIdleMax
};

// Takes an idle connection to this address, or null.
Upstream* take_idle_upstream(Services& s, const std::string& address, Request& owner);
// Opens a socket that is not connected yet; null without a descriptor or a slot.
Upstream* open_upstream(Services& s, const std::string& address, Request& owner);
// Begins the watch, once.
void watch_upstream(Services& s, Upstream& u);
// Keeps it for the next request, if there is room.
void keep_upstream(Services& s, Upstream& u);
void end_upstream(Services& s, Upstream& u);

// Null, or the request to be run.
Request* on_upstream_completion(Services& s, const ring::Completion& completion);
// Ends those whose idle time is over, or all.
void sweep_upstreams(Services& s);
void end_idle_upstreams(Services& s);
// When the next sweep has work; UINT64_MAX: never.
uint64_t next_upstream_sweep_ms(const Services& s);

}  // namespace spliced::conn
