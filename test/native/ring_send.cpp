// SPDX-License-Identifier: Apache-2.0
// ring/: sending, on both real backends and real sockets.
#include <errno.h>
#include <unistd.h>

#include <ostream>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "fakes/each_backend.hpp"

using namespace spliced;
using namespace spliced::fakes;
using ring::Kind;

namespace {

constexpr Token kToken{Kind::Send, 3, 9};

int32_t send(Ring& ring, const os::Fd& socket, const std::string& text) {
  const auto at_once = ring.send(socket.get(), text.data(), text.size(), kToken);
  if (at_once) return *at_once;
  const Completion done = next(ring);
  CHECK(is(done, kToken));
  CHECK_FALSE(done.more);
  return done.result;
}

std::string received(const os::Fd& socket) {
  char bytes[256];
  const ssize_t got = ::recv(socket.get(), bytes, sizeof bytes, MSG_DONTWAIT);
  return got > 0 ? std::string(bytes, static_cast<size_t>(got)) : "";
}

}  // namespace

TEST_CASE("ring: sends, and says how much") {
  each_backend([](Ring& ring) {
    const Pair sockets = pair();
    CHECK(send(ring, sockets.ours, "a response") == 10);
    CHECK(received(sockets.theirs) == "a response");
    quiet(ring);
  });
}

TEST_CASE("ring: a full socket is not waited for") {
  each_backend([](Ring& ring) {
    const Pair sockets = pair();
    const std::string piece(4096, 'x');
    int32_t result = 0;
    for (int i = 0; i < 10'000 && result >= 0; i++) result = send(ring, sockets.ours, piece);
    CHECK(result == -EAGAIN);
    quiet(ring);  // nor does it go out later, when there is room
    while (!received(sockets.theirs).empty()) continue;
    quiet(ring);
    CHECK(received(sockets.theirs).empty());
  });
}

TEST_CASE("ring: a peer that is gone is an error, not a signal") {
  each_backend([](Ring& ring) {
    Pair sockets = pair();
    sockets.theirs.reset();
    CHECK(send(ring, sockets.ours, "?") == -EPIPE);
  });
}

TEST_CASE("ring: all that a turn sends is out when the wait returns") {
  each_backend([](Ring& ring) {
    std::vector<Pair> pairs(40);
    std::vector<std::string> texts;
    size_t queued = 0;
    for (size_t i = 0; i < pairs.size(); i++) texts.push_back("response " + std::to_string(i));
    for (size_t i = 0; i < pairs.size(); i++) {
      pairs[i] = pair();
      const auto at_once = ring.send(pairs[i].ours.get(), texts[i].data(), texts[i].size(),
                                     {Kind::Send, static_cast<uint32_t>(i), 1});
      if (!at_once) queued++;
    }
    Completion out[64];
    if (queued > 0) CHECK(ring.wait(kWaitMs, out, 64) == queued);
    for (size_t i = 0; i < queued; i++)
      CHECK(out[i].result == static_cast<int32_t>(texts[out[i].token.slot].size()));
    for (size_t i = 0; i < pairs.size(); i++) CHECK(received(pairs[i].theirs) == texts[i]);
  });
}

TEST_CASE("ring: what is queued can go out before the wait") {
  each_backend([](Ring& ring) {
    const Pair sockets = pair();
    const std::string text = "now";
    const bool at_once =
        ring.send(sockets.ours.get(), text.data(), text.size(), kToken).has_value();
    ring.submit_sends();
    CHECK(received(sockets.theirs) == "now");
    if (!at_once) CHECK(is(next(ring), kToken));
    quiet(ring);
  });
}

// One response costs no turn of its own; several of a turn go out together.
TEST_CASE("ring: behind an only event a send is done at once") {
  std::string detail;
  const std::unique_ptr<Ring> ring = ring::open_uring(detail);
  if (!ring) {
    MESSAGE("SKIPPED: " << detail);
    return;
  }
  const Pair watched[3] = {pair(), pair(), pair()};
  const Pair first = pair(), second = pair();
  const std::string text = "now";
  // Each watch reports at once that there is room.
  const auto watch = [&](uint32_t i) { ring->watch(watched[i].ours.get(), {Kind::Watch, i, 1}); };
  const auto wait_for = [&](size_t events) {
    Completion out[8];
    REQUIRE(ring->wait(kWaitMs, out, 8) == events);
  };
  const auto is_sent_at_once = [&](const Pair& sockets) {
    const auto result = ring->send(sockets.ours.get(), text.data(), text.size(), kToken);
    if (result) CHECK(*result == 3);
    CHECK(received(sockets.theirs) == (result ? "now" : ""));
    return result.has_value();
  };
  watch(0);
  wait_for(1);
  CHECK(is_sent_at_once(first));
  CHECK(is_sent_at_once(first));
  watch(1);
  watch(2);
  wait_for(2);
  CHECK_FALSE(is_sent_at_once(first));
  CHECK_FALSE(is_sent_at_once(second));
  wait_for(2);
  CHECK(received(first.theirs) == "now");
  CHECK(received(second.theirs) == "now");
  quiet(*ring);
  CHECK_FALSE(is_sent_at_once(first));  // behind no event
}

// More sends than one wait's completions, each followed by another: their completions are there as
// soon as they are submitted, and must not keep an event out for ever.
TEST_CASE("ring: sends without end do not hide what else happens") {
  each_backend([](Ring& ring) {
    constexpr size_t kSenders = 30, kCapacity = 8;
    std::vector<Pair> senders(kSenders);
    const std::string text = "x";
    const auto again = [&](size_t i) {
      const Token token{Kind::Send, static_cast<uint32_t>(i), 1};
      (void)ring.send(senders[i].ours.get(), text.data(), text.size(), token);
    };
    for (size_t i = 0; i < kSenders; i++) {
      senders[i] = pair();
      again(i);
    }
    const Pair watched = pair();
    ring.watch(watched.ours.get(), {Kind::Watch, 7, 1});
    int told = 0, waits = 0;
    for (; told < 2 && waits < 200; waits++) {
      Completion out[kCapacity];
      const size_t count = ring.wait(100, out, kCapacity);
      for (size_t i = 0; i < count; i++) {
        if (out[i].token.kind == Kind::Send) {
          (void)received(senders[out[i].token.slot].theirs);
          again(out[i].token.slot);
        } else if (++told == 1) {  // there is room; the rest comes now
          REQUIRE(::send(watched.theirs.get(), "?", 1, 0) == 1);
        }
      }
    }
    CHECK(told == 2);
  });
}
