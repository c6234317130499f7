// SPDX-License-Identifier: Apache-2.0
// conn::Occupancy, over closers that close nothing until they are stopped: who gets the next
// client, and which limits hold over all engines together.
#include "conn/accounts/occupancy.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

using namespace spliced;
using conn::Occupancy;
using conn::PlaceLimits;
using conn::Shed;

namespace {

constexpr os::ClientKey kAlice{0, 1}, kBob{0, 2}, kCarol{0, 3};

struct World {
  explicit World(size_t engines, const PlaceLimits& limits = {})
      : all(limits, engines), closers(engines), shares(engines) {
    for (size_t i = 0; i < engines; i++) take_part(i);
  }
  ~World() {
    for (os::Closer& closer : closers) {
      CHECK(closer.start());
      CHECK(closer.stop(5'000));
    }
  }
  void take_part(size_t engine) {
    shares[engine] = std::make_shared<Occupancy::Share>();
    all.take_part(engine, shares[engine], closers[engine]);
  }
  Occupancy::Share& of(size_t engine) { return *shares[engine]; }
  size_t assign(size_t accepting) { return all.assign(accepting, now_ms).engine; }
  // A client that has a socket and a place, if it may.
  std::optional<Shed> enter(size_t engine, const os::ClientKey& client) {
    all.take_over(nullptr, of(engine));
    const auto refused = all.enter(of(engine), client);
    if (refused) all.socket_gone(of(engine));
    return refused;
  }
  void leave(size_t engine, const os::ClientKey& client) { all.leave(of(engine), client, false); }
  // A descriptor that waits for its closer.
  void hang_up(size_t engine) { closers[engine].close(::open("/", O_PATH | O_CLOEXEC)); }

  Occupancy all;
  std::vector<os::Closer> closers;  // not started
  std::vector<std::shared_ptr<Occupancy::Share>> shares;
  uint64_t now_ms = 1'000;
};

PlaceLimits limits_of(uint32_t connections, uint32_t per_address, uint32_t handshakes) {
  PlaceLimits limits;
  limits.connections_max = connections;
  limits.connections_per_address_max = per_address;
  limits.handshakes_max = handshakes;
  return limits;
}

}  // namespace

TEST_CASE("clients are spread, whoever accepts") {
  World w(4);
  uint32_t given[4] = {};
  for (int i = 0; i < 400; i++) given[w.assign(0)]++;  // one wakes first, always
  for (const uint32_t count : given) {
    CHECK(count >= 99);
    CHECK(count <= 101);
  }
}

TEST_CASE("one more than another is no reason to hand a client over") {
  World w(2);
  CHECK(w.assign(0) == 0);
  CHECK(w.assign(0) == 0);
  CHECK(w.assign(0) == 1);
  CHECK(w.assign(1) == 1);
}

TEST_CASE("who works on something long gets nobody, unless it is the one that accepts") {
  World w(2);
  w.of(1).busy_since_ms = w.now_ms;
  for (int i = 0; i < 2; i++) CHECK(w.assign(0) == 0);
  CHECK(w.assign(0) == 1);  // not long yet
  w.now_ms += limits::kHangingEngineMs + 1;
  for (int i = 0; i < 20; i++) CHECK(w.assign(0) == 0);
  CHECK(w.assign(1) == 1);
  w.of(1).busy_since_ms = 0;
  CHECK(w.assign(0) == 1);
  w.of(1).busy_since_ms = w.now_ms + 7;  // another clock's turn is ahead of ours
  CHECK(w.assign(0) == 1);
}

TEST_CASE("who is busy for a moment is passed over, but not left far behind") {
  World w(2);
  w.of(1).busy_since_ms = w.now_ms;
  w.now_ms += limits::kBusyEngineMs + 1;
  uint32_t given[2] = {};
  for (int i = 0; i < 2; i++) given[w.assign(0)]++;
  CHECK(given[0] == 2);
  for (int i = 0; i < 62; i++) given[w.assign(0)]++;
  CHECK(given[0] <= 1.25 * given[1]);
}

TEST_CASE("an engine that has not begun gets nobody") {
  Occupancy all({}, 3);
  os::Closer closer;
  const auto share = std::make_shared<Occupancy::Share>();
  all.take_part(1, share, closer);
  for (int i = 0; i < 10; i++) CHECK(all.assign(1, 1).engine == 1);
}

TEST_CASE(
    "a socket counts where it is: at the one it was assigned to, then at the one that takes it") {
  World w(2);
  const auto given = w.all.assign(0, w.now_ms);
  CHECK(given.account.get() == &w.of(0));
  w.all.take_over(given.account.get(), w.of(0));  // it has it already
  w.all.take_over(given.account.get(), w.of(1));  // no place at 0: passed on
  w.all.socket_gone(w.of(1));
  // Nobody has any: as at the beginning.
  CHECK(w.assign(1) == 1);
  CHECK(w.assign(1) == 1);
  CHECK(w.assign(1) == 0);
}

TEST_CASE("a socket on its way to an engine that is replaced meanwhile counts at its successor") {
  World w(2);
  const auto given = w.all.assign(1, w.now_ms);
  REQUIRE(given.engine == 1);
  const auto former = w.shares[1];
  w.take_part(1);
  w.all.take_over(given.account.get(), w.of(1));  // what its successor does with what it gets
  CHECK_FALSE(w.all.enter(w.of(1), kAlice));
  w.leave(1, kAlice);
  // Both have none: the successor's account has not gone below zero.
  CHECK(w.assign(1) == 1);
  CHECK(w.assign(1) == 1);
  CHECK(w.assign(1) == 0);
}

TEST_CASE("the limit of connections holds over all engines") {
  World w(2, limits_of(3, 100, 100));
  CHECK_FALSE(w.enter(0, kAlice));
  CHECK_FALSE(w.enter(1, kAlice));
  CHECK_FALSE(w.enter(1, kBob));
  CHECK(w.enter(0, kCarol) == Shed::Slots);
  CHECK(w.enter(1, kCarol) == Shed::Slots);
  w.leave(1, kAlice);
  CHECK_FALSE(w.enter(0, kCarol));
}

TEST_CASE("the limit of an address holds over all engines, and says so first") {
  World w(3, limits_of(2, 2, 2));
  CHECK_FALSE(w.enter(0, kAlice));
  CHECK_FALSE(w.enter(1, kAlice));
  CHECK(w.enter(2, kAlice) == Shed::Address);
  CHECK(w.enter(2, kBob) == Shed::Slots);
  CHECK(w.all.count(kAlice).connections == 2);
  CHECK(w.all.addresses() == 2);  // at two engines
  w.leave(0, kAlice);
  w.leave(1, kAlice);
  CHECK(w.all.addresses() == 0);
}

TEST_CASE("the limit of handshakes holds over all engines") {
  World w(2, limits_of(100, 100, 2));
  CHECK_FALSE(w.enter(0, kAlice));
  CHECK_FALSE(w.enter(1, kBob));
  CHECK(w.enter(0, kCarol) == Shed::Handshakes);
  w.all.end_handshake(w.of(1), kBob);
  CHECK(w.all.count(kBob).handshakes == 0);
  CHECK_FALSE(w.enter(0, kCarol));
  CHECK(w.enter(0, kCarol) == Shed::Handshakes);
  w.all.give_back(w.of(0), kCarol);  // its place, and its handshake
  CHECK(w.all.count(kCarol).connections == 0);
  CHECK_FALSE(w.enter(1, kCarol));
}

TEST_CASE("who makes room has left: as many as there may be, over all engines") {
  World w(2, limits_of(2 * limits::kLeavingMax, 1'000, 1'000));
  for (uint32_t i = 0; i < limits::kLeavingMax; i++) {
    CHECK_FALSE(w.enter(0, kAlice));
    CHECK_FALSE(w.enter(1, kBob));
  }
  CHECK(w.enter(0, kCarol) == Shed::Slots);
  for (uint32_t i = 0; i < limits::kLeavingMax; i++)
    CHECK(w.all.begin_leaving(w.of(i % 2), i % 2 == 0 ? kAlice : kBob, true));
  CHECK(w.all.leaving() == limits::kLeavingMax);
  CHECK_FALSE(w.all.begin_leaving(w.of(0), kAlice, true));  // nothing is changed by that
  CHECK(w.all.count(kAlice).connections == limits::kLeavingMax / 2);
  CHECK(w.all.count(kAlice).handshakes == limits::kLeavingMax / 2);
  for (uint32_t i = 0; i < limits::kLeavingMax; i++) CHECK_FALSE(w.enter(i % 2, kCarol));
  CHECK(w.enter(0, kCarol) == Shed::Slots);
  w.all.leave(w.of(1), kBob, true);  // one that had begun to leave: room for another to do so
  CHECK(w.enter(0, kCarol) == Shed::Slots);
  CHECK(w.all.begin_leaving(w.of(0), kAlice, true));
  CHECK_FALSE(w.enter(0, kCarol));
}

TEST_CASE("what waits for any closer counts, beyond those that may leave") {
  World w(2, limits_of(limits::kLeavingMax + 4, 1'000, 1'000));
  for (uint32_t i = 0; i < limits::kLeavingMax + 3; i++) w.hang_up(i % 2);
  for (uint32_t i = 0; i < limits::kLeavingMax + 1; i++) CHECK_FALSE(w.enter(1, kAlice));
  CHECK(w.enter(0, kAlice) == Shed::Slots);
}

TEST_CASE(
    "a part that was replaced counts no more, and what leaves it changes nothing for others") {
  World w(2, limits_of(2, 2, 2));
  CHECK_FALSE(w.enter(0, kAlice));
  CHECK_FALSE(w.enter(0, kAlice));
  CHECK(w.enter(1, kAlice) == Shed::Address);
  const auto former = w.shares[0];
  w.take_part(0);
  CHECK(w.all.addresses() == 0);
  CHECK_FALSE(w.enter(0, kAlice));
  CHECK_FALSE(w.enter(1, kAlice));
  CHECK(w.enter(1, kAlice) == Shed::Address);
  CHECK(w.all.begin_leaving(*former, kAlice, true));
  w.all.leave(*former, kAlice, true);
  w.all.end_handshake(*former, kAlice);
  w.all.leave(*former, kAlice, false);
  CHECK(w.all.leaving() == 0);
  CHECK(w.all.count(kAlice).connections == 2);
  CHECK(w.enter(0, kAlice) == Shed::Address);
}

TEST_CASE("who cannot make room asks the next one where somebody waits") {
  World w(4, limits_of(2, 100, 100));
  CHECK_FALSE(w.enter(0, kAlice));
  CHECK_FALSE(w.enter(2, kBob));
  CHECK_FALSE(w.all.next_with_room(0, kCarol, w.now_ms));
  w.of(0).waiting = 1;  // its own do not come into question
  CHECK_FALSE(w.all.next_with_room(0, kCarol, w.now_ms));
  w.of(2).waiting = 1;
  CHECK(w.all.next_with_room(0, kCarol, w.now_ms) == 2);
  CHECK(w.all.next_with_room(3, kCarol, w.now_ms) == 0);
  CHECK(w.all.next_with_room(2, kCarol, w.now_ms) == 0);
}

TEST_CASE("where an address has too many, only one that has some of them can make room") {
  World w(3, limits_of(100, 1, 100));
  CHECK_FALSE(w.enter(2, kAlice));
  CHECK_FALSE(w.enter(1, kBob));
  w.of(1).waiting = 1;
  w.of(2).waiting = 1;
  CHECK(w.all.next_with_room(0, kAlice, w.now_ms) == 2);
  CHECK(w.all.next_with_room(0, kCarol, w.now_ms) == 1);
}

TEST_CASE("rather one that is not busy is asked for room, but a busy one before nobody") {
  World w(3, limits_of(1, 100, 100));
  w.of(1).waiting = 1;
  w.of(1).busy_since_ms = w.now_ms;
  w.of(2).waiting = 1;
  w.now_ms += limits::kBusyEngineMs + 1;
  CHECK(w.all.next_with_room(0, kAlice, w.now_ms) == 2);
  w.of(2).waiting = 0;
  CHECK(w.all.next_with_room(0, kAlice, w.now_ms) == 1);
}

TEST_CASE("the canary's engine is known by the port") {
  World w(3);
  const auto from = [](uint16_t port) { return [port](uint16_t other) { return other == port; }; };
  CHECK_FALSE(w.all.canary_of(from(7)));
  w.of(1).canary_port = 7;
  w.of(2).canary_port = 8;
  CHECK(w.all.canary_of(from(7)) == 1);
  CHECK(w.all.canary_of(from(8)) == 2);
  CHECK_FALSE(w.all.canary_of(from(9)));
  CHECK_FALSE(w.all.canary_of(from(0)));
}

TEST_CASE("several engines at once: nothing is lost, and no limit is exceeded") {
  constexpr size_t kEngines = 4;
  constexpr int kRounds = 3'000;
  World w(kEngines, limits_of(24, 12, 8));
  std::atomic<int> here{0}, most{0};
  const auto serve = [&](size_t engine) {
    for (int i = 0; i < kRounds; i++) {
      const os::ClientKey client{0, static_cast<uint64_t>(i % 3)};
      auto given = w.all.assign(engine, w.now_ms);
      w.all.take_over(given.account.get(), w.of(engine));
      (void)w.all.next_with_room(engine, client, w.now_ms);
      (void)w.all.canary_of([](uint16_t) { return false; });
      if (w.all.enter(w.of(engine), client)) {
        w.all.socket_gone(w.of(engine));
        continue;
      }
      const int now = ++here;
      for (int before = most; before < now && !most.compare_exchange_weak(before, now);) {
      }
      const bool leaves = i % 2 == 0 && w.all.begin_leaving(w.of(engine), client, true);
      if (!leaves) w.all.end_handshake(w.of(engine), client);
      std::this_thread::yield();
      here--;
      w.all.leave(w.of(engine), client, leaves);
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kEngines; i++) threads.emplace_back(serve, i);
  for (std::thread& thread : threads) thread.join();
  CHECK(most <= 24 + static_cast<int>(limits::kLeavingMax));
  CHECK(w.all.addresses() == 0);
  CHECK(w.all.leaving() == 0);
  // Every account is even: the next clients are spread as at the beginning.
  uint32_t assigned[kEngines] = {};
  for (size_t i = 0; i < 40; i++) assigned[w.assign(0)]++;
  for (const uint32_t count : assigned) CHECK(count >= 9);
}
