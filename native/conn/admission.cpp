// SPDX-License-Identifier: Apache-2.0
// Who gets a slot. A new connection is refused when its address has too many, when the table is
// full or when too many handshakes are in flight; but before that, whoever only occupies a place
// makes room: the longest idle keep-alive connection, else the one that has longest failed to say
// what it wants. Nobody is cut off in the middle of a response.
#include <algorithm>
#include <optional>
#include <utility>

#include "base/assert.hpp"
#include "conn/dispatch.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {
namespace {

void shed(Services& s, int socket, Shed reason) {
  s.figures.shed.add();
  s.figures.shed_by[static_cast<size_t>(reason)].add();
  os::sever(socket);
  s.closer.close(socket);
}

// For clients: the slot beyond their number is the canary's. Those that make room have left, and
// so has who waits for the closer's thread, up to kLeavingMax in all; the closer's further backlog
// counts, since its descriptors are not free.
bool table_is_full(const Services& s) {
  const size_t clients = s.slots.size() - s.free_slots.size() - s.canary.open;
  const size_t backlog = s.closer.backlog();
  const size_t left = std::min<size_t>(s.leaving + backlog, limits::kLeavingMax);
  return s.free_slots.empty() || clients + backlog - left >= s.options.connections_max;
}

bool handshakes_are_many(const Services& s) {
  return s.figures.by_state[static_cast<size_t>(State::Handshake)].get() >=
         s.options.handshakes_max;
}

bool is_idle(const Connection& c) {
  return c.state == State::ReadHead && c.served && c.input.empty();
}

// Who shall make room: anybody, somebody of one address, or a handshake.
struct Wanted {
  const os::ClientKey* client = nullptr;
  bool handshake = false;
};

Connection* choose(Services& s, const Wanted& wanted) {
  Connection* hesitant = nullptr;
  Connection* c = s.waiting.first();
  for (size_t i = 0; c != nullptr && i < limits::kRoomLooksMax; i++, c = s.waiting.after(*c)) {
    if (c->canary || (wanted.client != nullptr && !(c->client_key == *wanted.client))) continue;
    if (wanted.handshake && c->state != State::Handshake) continue;
    if (is_idle(*c)) return c;
    if (hesitant == nullptr && s.now_ms - c->waiting_since_ms >= limits::kHesitationMs)
      hesitant = c;
  }
  return hesitant;
}

bool make_room(Services& s, const Wanted& wanted) {
  Connection* c = s.leaving < limits::kLeavingMax ? choose(s, wanted) : nullptr;
  if (c == nullptr) return false;
  s.figures.evicted.add();
  c->leaving = true;
  s.leaving++;
  forget_client(s, *c);
  if (c->state == State::Handshake) {
    abort(s, *c, Ending::NotServed);
  } else {
    begin_close(s, *c);
  }
  run(s, *c);
  return true;
}

// Nothing if the connection may come in.
std::optional<Shed> refusal(Services& s, const os::ClientKey& client) {
  const uint32_t per_address = s.options.connections_per_address_max;
  if (s.addresses.count(client) >= per_address && !make_room(s, {&client, false}))
    return Shed::Address;
  if (table_is_full(s) && (!make_room(s, {}) || table_is_full(s))) return Shed::Slots;
  if (handshakes_are_many(s) && !make_room(s, {nullptr, true})) return Shed::Handshakes;
  return std::nullopt;
}

}  // namespace

const char* const kShedNames[kSheds] = {"slots", "address", "handshakes", "memory", "descriptors"};

void forget_client(Services& s, Connection& c) {
  if (std::exchange(c.counted, false)) s.addresses.remove(c.client_key);
}

bool make_room(Services& s) {
  return make_room(s, Wanted{});
}

void admit(Services& s, int socket) {
  s.figures.accepted.add();
  const bool canary = s.canary.port != 0 && os::peer_is_own_port(socket, s.canary.port);
  const os::ClientKey client = os::client_key(socket);
  if (canary) {
    if (s.free_slots.empty()) return shed(s, socket, Shed::Slots);
  } else if (const std::optional<Shed> reason = refusal(s, client)) {
    return shed(s, socket, *reason);
  }
  auto session = tls::Session::start(s.generation, socket);
  if (!session) return shed(s, socket, Shed::Memory);
  Connection& c = s.slots[s.free_slots.back()];
  s.free_slots.pop_back();
  c.socket = socket;
  c.session = std::move(session);
  c.canary = canary;
  if (canary) {
    s.canary.open++;
    s.figures.canaries.add();
  } else {
    c.client_key = client;
    c.counted = true;
    s.addresses.add(client);
  }
  if (s.connection_log != nullptr) c.record = s.connection_log->begin(socket, s.now_ms);
  s.figures.open.add();
  enter(s, c, State::Handshake);
  // Its first completion, which comes at once (the socket is writable), starts the handshake.
  s.ring.watch(socket, token_of(c, ring::Kind::Watch));
  c.watching = true;
  c.inflight++;
}

}  // namespace spliced::conn
