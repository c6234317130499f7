// SPDX-License-Identifier: Apache-2.0
// Scenarios: a route's rate over HTTP/2, by the fake clock. Streams with one share a lane of their
// connection, streams without go past them, and nobody who only obeys is cut off.
#include <algorithm>
#include <map>
#include <string>

#include "conn/h2/mux.hpp"
#include "doctest/doctest.h"
#include "fakes/http2.hpp"
#include "fakes/proxied.hpp"

using namespace spliced;
using namespace spliced::fakes;

namespace {

constexpr uint64_t kRate = 100'000;
constexpr uint64_t kStepMs = 20;

http::Route route_of(const std::string& prefix, uint64_t rate) {
  http::Route route;
  route.prefix = prefix;
  route.rate_max_bytes_per_s = rate;
  return route;
}

// Windows that hold nothing back.
Peer open_http2(World& world, Path path, uint64_t window = 1 << 24) {
  Peer peer = world.connect([path](Socket& socket, TlsScript& script) {
    script.http2 = true;
    socket.send_buffer_bytes = 4'000'000;
    socket.asynchronous_cipher = path == Path::KernelAsync;
    if (path == Path::UserSpace) script.outcome = tls::Promotion::Outcome::UserSpace;
  });
  const std::string wide = number(4, 2) + number(window, 4);
  peer.sends(kPreface + frame(4, 0, 0, wide) + frame(8, 0, 0, number(window, 4)));
  world.turns();
  return peer;
}

void ask_for(const Peer& peer, uint32_t stream, const std::string& path) {
  peer.sends(frame(1, 5, stream, request_fields("GET", path)));
}

// So many steps later; the network takes what has come in each.
std::map<uint32_t, StreamAnswer> later(World& world, const Peer& peer, int steps = 2) {
  world.pump(peer, steps);
  return stream_answers(peer.arrived().plaintext);
}

class Clock {
 public:
  explicit Clock(const World& world) : world_(world), began_ms_(world.services->now_ms) {}
  uint64_t ms() const { return world_.services->now_ms - began_ms_; }

 private:
  const World& world_;
  uint64_t began_ms_;
};

// What may have gone of a lane with this rate, and must have.
uint64_t most_after(uint64_t ms, uint64_t rate) {
  const uint64_t smooth = rate * conn::kPacedFrameMs / 1000;
  const uint64_t frame = std::max<uint64_t>(smooth, limits::kFrameRoomMin);
  return rate * (ms + conn::kPacedBurstMs) / 1000 + frame;
}
uint64_t least_after(uint64_t ms, uint64_t rate) {
  const uint64_t step = std::max<uint64_t>(rate * kStepMs / 1000, limits::kFrameRoomMin);
  const uint64_t due = rate * ms / 1000;
  return due < 2 * step ? 0 : due - 2 * step;
}

}  // namespace

TEST_CASE("HTTP/2: a stream alone has its route's rate, from its first byte to its last") {
  for (const Path path : kPaths) {
    for (const uint64_t rate : {uint64_t{2'000}, kRate, uint64_t{1'000'000}}) {
      CAPTURE(static_cast<int>(path));
      CAPTURE(rate);
      World world;
      world.serve({route_of("", rate)});
      const size_t size = rate * 2;
      world.site.write("a", size);
      const Peer peer = open_http2(world, path);
      ask_for(peer, 1, "/a");
      const Clock clock(world);
      while (clock.ms() < 1600) {
        const StreamAnswer answer = later(world, peer)[1];
        CHECK(answer.data.size() <= most_after(clock.ms(), rate));
        CHECK(answer.data.size() >= least_after(clock.ms() - kStepMs, rate));
        CHECK_FALSE(answer.ended);
      }
      const StreamAnswer answer = later(world, peer, 80)[1];
      CHECK(answer.ended);
      CHECK(answer.data == Site::content("a", size));
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("HTTP/2: streams of routes with a rate have it together, those without go past them") {
  for (const Path path : kPaths) {
    CAPTURE(static_cast<int>(path));
    World world;
    world.serve({route_of("", 0), route_of("slow", kRate), route_of("slower", kRate / 4)});
    world.site.write("fast", 300'000);
    world.site.write("slow/a", 60'000);
    world.site.write("slow/b", 60'000);
    world.site.write("slower/c", 20'000);
    const Peer peer = open_http2(world, path);
    ask_for(peer, 1, "/slow/a");
    ask_for(peer, 3, "/slow/b");
    ask_for(peer, 5, "/slower/c");
    const Clock clock(world);
    std::map<uint32_t, StreamAnswer> answers;
    // A lane's time: the bytes of each by its own rate.
    const auto lane_ms = [&] {
      const size_t own = answers[1].data.size() + answers[3].data.size();
      return own * 1000 / kRate + answers[5].data.size() * 4000 / kRate;
    };
    const uint64_t all_ms = 120'000 * 1000 / kRate + 20'000 * 4000 / kRate;
    const uint64_t ahead_ms = conn::kPacedBurstMs + conn::kPacedFrameMs;
    (void)later(world, peer);
    ask_for(peer, 7, "/fast");
    bool is_fast_first = false;
    while (clock.ms() < 2 * all_ms && lane_ms() < all_ms) {
      answers = later(world, peer);
      CHECK(lane_ms() <= clock.ms() + ahead_ms);
      is_fast_first |= answers[7].ended && !answers[1].ended;
    }
    CHECK(is_fast_first);
    CHECK(clock.ms() + ahead_ms >= all_ms);
    CHECK(clock.ms() <= all_ms + 2 * kStepMs);
    answers = later(world, peer, 20);
    CHECK(answers[7].data == Site::content("fast", 300'000));
    CHECK(answers[1].data == Site::content("slow/a", 60'000));
    CHECK(answers[3].data == Site::content("slow/b", 60'000));
    CHECK(answers[5].data == Site::content("slower/c", 20'000));
    for (const uint32_t stream : {1u, 3u, 5u}) CHECK(answers[stream].ended);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("HTTP/2: an application's answer has its route's rate, and all of it comes") {
  Proxied world;
  http::Route route = proxy_route();
  route.rate_max_bytes_per_s = kRate;
  world.serve({route});
  const Peer peer = open_http2(world, Path::KernelSync);
  const std::string body = text_of(100'000);
  ask_for(peer, 1, "/");
  world.play(peer);
  world.application().peer_sends(answer(body));
  const Clock clock(world);
  StreamAnswer got;
  while (clock.ms() < 2000 && !got.ended) {
    got = later(world, peer)[1];
    CHECK(got.data.size() <= most_after(clock.ms(), kRate));
  }
  CHECK(clock.ms() + conn::kPacedBurstMs + conn::kPacedFrameMs >= 1000);
  CHECK(got.data == body);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("HTTP/2: who lets half of the rate through is served, below it is not") {
  for (const bool obeys : {true, false}) {
    CAPTURE(obeys);
    conn::Options options = World::small_options();
    options.send_rate_min_bytes_per_s = 1'000'000;
    World world(options);
    world.serve({route_of("", kRate)});
    world.site.write("a", 200'000);
    const uint64_t window = 2'000;
    const Peer peer = open_http2(world, Path::KernelSync, window);
    ask_for(peer, 1, "/a");
    StreamAnswer got;
    for (int i = 0; i < 1000 && !got.ended && !got.reset; i++) {
      got = later(world, peer)[1];
      const std::string more = number(obeys ? 1200 : 100, 4);
      peer.sends(frame(8, 0, 1, more) + frame(8, 0, 0, more));
    }
    CHECK(got.reset == !obeys);
    CHECK(got.ended == obeys);
    CHECK(world.figures.streams_stalled.get() == (obeys ? 0 : 1));
  }
}
