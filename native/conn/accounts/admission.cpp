// SPDX-License-Identifier: Apache-2.0
// Admission of new connections. One is refused if its address has too many, if the table is full,
// or if too many handshakes are under way; the limits hold over all engines (occupancy.hpp). Before
// that, a connection that waits for its client is closed to make room: the keep-alive connection
// that has been idle longest, else the one that has taken longest for its handshake or request,
// else a handshake of an address that has more of them than the new client's. No connection is
// closed in the middle of a response. If this engine has none to close, another engine is asked.
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
  s.occupancy.socket_gone(s.share);
}

bool is_idle(const Connection& c) {
  if (c.state == State::AwaitStreams) return c.served;
  return c.state == State::ReadHead && c.served && c.input.empty();
}

// For which client room is made, and which connections may be closed for it: any, those of the
// client's own address, or handshakes alone.
struct Wanted {
  const os::ClientKey* client = nullptr;  // null: no particular client
  bool own_address = false;
  bool handshake = false;

  static Wanted for_reason(Shed reason, const os::ClientKey& client) {
    return {&client, reason == Shed::Address, reason == Shed::Handshakes};
  }
};

// The oldest handshake of the address with the most handshakes, if these are more than the new
// client's address would have.
class Crowd {
 public:
  Crowd(Services& s, const Wanted& wanted) : s_(s) {
    if (wanted.client == nullptr || wanted.own_address) return;
    most_ = s.occupancy.count(*wanted.client).handshakes + 1;
    looks_ = true;
  }
  void consider(Connection& c) {
    if (!looks_ || c.state != State::Handshake) return;
    const uint32_t has = s_.occupancy.count(c.place.client_key).handshakes;
    if (has <= most_) return;
    most_ = has;
    oldest_ = &c;
  }
  Connection* oldest() const { return oldest_; }

 private:
  Services& s_;
  bool looks_ = false;
  uint32_t most_ = 0;
  Connection* oldest_ = nullptr;
};

Connection* choose(Services& s, const Wanted& wanted) {
  Connection* hesitant = nullptr;
  Crowd crowd(s, wanted);
  Connection* c = s.waiting.first();
  for (size_t i = 0; c != nullptr && i < limits::kRoomLooksMax; i++, c = s.waiting.after(*c)) {
    if (c->place.canary || (wanted.own_address && !(c->place.client_key == *wanted.client)))
      continue;
    if (wanted.handshake && c->state != State::Handshake) continue;
    if (is_idle(*c)) return c;
    if (hesitant == nullptr && s.now_ms - c->place.waiting_since_ms >= limits::kHesitationMs)
      hesitant = c;
    if (hesitant == nullptr) crowd.consider(*c);
  }
  return hesitant != nullptr ? hesitant : crowd.oldest();
}

bool make_room(Services& s, const Wanted& wanted) {
  Connection* c = choose(s, wanted);
  if (c == nullptr) return false;
  if (!s.occupancy.begin_leaving(s.share, c->place.client_key, c->state == State::Handshake))
    return false;
  s.figures.evicted.add();
  c->place.leaving = true;
  if (c->state == State::Handshake) {
    abort(s, *c, Ending::NotServed);
  } else if (!c->h2) {  // HTTP/2 says so itself, in a GOAWAY
    begin_close(s, *c);
  }
  run(s, *c);
  return true;
}

// Empty: the connection is admitted and has its place. Otherwise the table that is full; each may
// be full in turn.
std::optional<Shed> refusal(Services& s, const os::ClientKey& client) {
  for (size_t i = 0; i < kSheds; i++) {
    const std::optional<Shed> reason = s.occupancy.enter(s.share, client);
    if (!reason) return std::nullopt;
    if (!make_room(s, Wanted::for_reason(*reason, client))) return reason;
  }
  return Shed::Slots;
}

}  // namespace

const char* const kShedNames[kSheds] = {"slots", "address", "handshakes", "memory", "descriptors"};

bool make_room(Services& s) {
  return make_room(s, Wanted{});
}

void admit(Services& s, const Arrival& arrival) {
  const int socket = arrival.socket;
  s.occupancy.take_over(arrival.account.get(), s.share);
  const bool canary = s.canary.port != 0 && os::peer_is_own_port(socket, s.canary.port);
  const os::ClientKey client = os::client_key(socket);
  if (!canary) {
    if (const std::optional<Shed> reason = refusal(s, client)) {
      if (s.pass_on && s.pass_on({socket, arrival.refusals + 1}, client)) return;
      s.figures.accepted.add();
      return shed(s, socket, *reason);
    }
  }
  s.figures.accepted.add();
  auto session = s.slots.has_room() ? tls::Session::start(s.generation, socket) : nullptr;
  if (!session) {
    const Shed reason = s.slots.has_room() ? Shed::Memory : Shed::Slots;
    if (!canary) s.occupancy.give_back(s.share, client);
    return shed(s, socket, reason);
  }
  Connection& c = s.take_slot();
  c.socket = socket;
  c.tls.session = std::move(session);
  c.place.canary = canary;
  c.place.placed = !canary;
  if (canary) {
    s.canary.open++;
    s.figures.canaries.add();
  } else {
    c.place.client_key = client;
  }
  if (s.connection_log != nullptr) c.record = s.connection_log->begin(socket, s.now_ms);
  s.figures.open.add();
  enter(s, c, State::Handshake);
  // The socket is writable, so its first completion comes at once and starts the handshake.
  s.ring.watch(socket, token_of(c, ring::Kind::Watch));
  c.ops.watching = true;
  c.ops.inflight++;
}

}  // namespace spliced::conn
