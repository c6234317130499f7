// SPDX-License-Identifier: Apache-2.0
// Scenarios: uploads over HTTP/2. A window opens by what the file has taken, and by nothing else;
// whatever ends a stream or its connection, what has come is in the file.
#include <errno.h>

#include <ostream>
#include <string>

#include "doctest/doctest.h"
#include "fakes/http2.hpp"
#include "fakes/part.hpp"
#include "fakes/random.hpp"

using namespace spliced;
using namespace spliced::fakes;

namespace {

constexpr int kData = 0, kHeaders = 1, kReset = 3;

Peer open(World& world) {
  Peer peer = world.connect([](Socket& socket, TlsScript& script) {
    script.http2 = true;
    socket.send_buffer_bytes = 1'000'000;
  });
  peer.sends(kPreface + frame(4, 0, 0));
  world.turns();
  return peer;
}

std::string put_head(size_t bytes, const std::string& more = "") {
  return request_fields("PUT", "/.spliced/upload/" + kId) +
         field("content-length", std::to_string(bytes)) + more;
}

void send_data(const Peer& peer, uint32_t stream, const std::string& data, bool ends = false) {
  for (size_t at = 0; at < data.size(); at += 16'000) {
    const bool last = at + 16'000 >= data.size();
    peer.sends(frame(kData, ends && last ? 1 : 0, stream, data.substr(at, 16'000)));
  }
}

StreamAnswer answer(World& world, const Peer& peer, uint32_t stream, int turns = 50) {
  world.pump(peer, turns);
  return stream_answers(peer.arrived().plaintext)[stream];
}

}  // namespace

TEST_CASE("HTTP/2 upload: a window opens by what the file has taken, and every byte is there") {
  for (const bool is_short : {false, true}) {
    CAPTURE(is_short);
    World world;
    const size_t size = 2'000'000;
    const std::string body = Site::content("part", size);
    Part part(world, size);
    world.ring->hold_file_operations = true;
    const Peer peer = open(world);
    peer.sends(frame(kHeaders, 4, 1, put_head(size)));
    world.turns();
    uint64_t sent = 0;
    const auto window = [&] { return 65'535 + answer(world, peer, 1).window; };
    const auto fill = [&] {
      const size_t bytes = std::min<size_t>(size, window()) - sent;
      send_data(peer, 1, body.substr(sent, bytes), sent + bytes == size);
      sent += bytes;
      world.turns(20);
    };
    fill();
    CHECK(sent == limits::kUploadWindowBytes);
    fill();
    CHECK(sent == limits::kUploadWindowBytes);  // nothing is written, and the window stays shut
    for (int i = 0; i < 5000 && part.ticket->offset() < size; i++) {
      if (world.ring->held() > 0)
        is_short ? world.ring->finish_short(0, 5000) : world.ring->finish(0);
      world.turns(2);
      fill();
      CHECK(sent <= part.ticket->offset() + limits::kUploadWindowBytes);
    }
    CHECK(part.content() == body);
    CHECK_FALSE(answer(world, peer, 1).ended);
    part.ticket->conclude({200, "{}"});
    world.advance(400);
    world.turns(20);
    CHECK(answer(world, peer, 1).data == "{}");
    CHECK(answer(world, peer, 1).ended);
    CHECK(part.settle() == "");
  }
}

TEST_CASE("HTTP/2 upload: what came before its stream or its connection ended is kept") {
  enum class Leaves { Cancels, Goodbye, HalfCloses, Resets, Nonsense };
  for (const Leaves how :
       {Leaves::Cancels, Leaves::Goodbye, Leaves::HalfCloses, Leaves::Resets, Leaves::Nonsense}) {
    CAPTURE(static_cast<int>(how));
    World world;
    const std::string body = Site::content("part", 60'000);
    Part part(world, 200'000);
    world.ring->hold_file_operations = true;
    const Peer peer = open(world);
    peer.sends(frame(kHeaders, 4, 1, put_head(200'000)));
    send_data(peer, 1, body.substr(0, 20'000));
    world.turns();
    send_data(peer, 1, body.substr(20'000));
    world.turns();
    switch (how) {
      case Leaves::Cancels:
        peer.sends(frame(kReset, 0, 1, number(8, 4)));
        break;
      case Leaves::Goodbye:
        peer.says_goodbye();
        break;
      case Leaves::HalfCloses:
        peer.socket().peer_half_closes();
        break;
      case Leaves::Resets:
        peer.socket().peer_resets();
        break;
      case Leaves::Nonsense:
        peer.sends(frame(kData, 0, 0, "x"));
        break;
    }
    for (int i = 0; i < 20; i++) {
      world.turns();
      if (world.ring->held() > 0) world.ring->finish(0);
    }
    world.ring->hold_file_operations = false;
    world.turns();
    // Another connection can go on without a wait; after the other two when the client's FIN is there.
    if (how != Leaves::Goodbye && how != Leaves::Nonsense)
      CHECK_FALSE(part.ticket->snapshot().receiving);
    if (how != Leaves::Cancels) world.run_to_end(peer);
    CHECK(part.ticket->offset() == 60'000);
    CHECK(part.content() == body);
    CHECK_FALSE(part.ticket->snapshot().receiving);
    CHECK_FALSE(part.ticket->snapshot().part_ended);
    CHECK(part.settle() == "");
  }
}

TEST_CASE("HTTP/2 upload: a write that fails is answered, and the connection goes on") {
  World world;
  world.site.write("page", 100);
  const std::string body = Site::content("part", 200'000);
  Part part(world, body.size());
  world.ring->hold_file_operations = true;
  const Peer peer = open(world);
  peer.sends(frame(kHeaders, 4, 1, put_head(body.size())));
  send_data(peer, 1, body.substr(0, 60'000));
  world.turns();
  world.ring->finish_short(0, 10'000);
  world.turns();
  world.ring->fail(0, ENOSPC);
  world.turns(10);
  CHECK(answer(world, peer, 1).data.find("no space left") != std::string::npos);
  CHECK(answer(world, peer, 1).ended);
  world.ring->hold_file_operations = false;
  send_data(peer, 1, body.substr(60'000), true);  // was on its way
  peer.sends(frame(kHeaders, 5, 3, request_fields("GET", "/page")));
  world.turns(10);
  CHECK(answer(world, peer, 3).data == Site::content("page", 100));
  CHECK(part.content() == body.substr(0, 10'000));
  CHECK(part.settle() == "");
}

TEST_CASE("HTTP/2 upload: only the client's own silence is a stall") {
  conn::Options options = World::small_options();
  options.send_rate_min_bytes_per_s = 1000;
  World world(options);
  Part part(world, 400'000);
  const Peer peer = open(world);
  world.ring->hold_file_operations = true;
  peer.sends(frame(kHeaders, 4, 1, put_head(400'000)));
  send_data(peer, 1, std::string(60'000, 'x'));
  world.advance(10'000);
  CHECK_FALSE(answer(world, peer, 1).ended);  // the disk's time
  world.ring->hold_file_operations = false;
  while (world.ring->held() > 0) world.ring->finish(0);
  world.advance(5000);
  world.turns(10);
  CHECK(answer(world, peer, 1).data.find("stalled") != std::string::npos);
  CHECK(part.ticket->offset() == 60'000);
  CHECK(part.settle() == "");
}

TEST_CASE("HTTP/2 upload: in any order of events the file has what was sent, from its begin") {
  for (uint64_t seed = 1; seed <= 300; seed++) {
    CAPTURE(seed);
    Random random(seed);
    World world;
    const size_t size = 1 + random.below(600'000);
    const std::string body = Site::content("part", size);
    Part part(world, size);
    world.ring->hold_file_operations = true;
    bool is_open = false, is_done = false;
    Peer peer{0};
    uint32_t stream = 0;
    uint64_t began = 0, sent = 0;
    const auto window = [&] { return 65'535 + answer(world, peer, stream, 1).window; };
    for (int i = 0; i < 3000 && !is_done; i++) {
      if (stream == 0) {
        world.services->now_ms += limits::kUploadQuietMs;
        while (world.ring->held() > 0) {
          world.ring->finish(0);
          world.turns();
        }
        if (!is_open) peer = open(world);
        is_open = true;
        stream = 1;
        while (answer(world, peer, stream, 1).ended || answer(world, peer, stream, 1).reset ||
               stream < 1)
          stream += 2;
        began = sent = part.ticket->offset();
        const std::string range = "bytes " + std::to_string(sent) + "-" + std::to_string(size - 1);
        if (sent == size)
          peer.sends(frame(kHeaders, 5, stream, put_head(0)));
        else
          peer.sends(frame(kHeaders, 4, stream,
                           put_head(size - sent, field("content-range", range + "/*"))));
        world.turns();
      }
      switch (random.below(8)) {
        case 0:
        case 1:
        case 2: {
          const uint64_t room = window() - (sent - began);
          const auto bytes = static_cast<size_t>(
              std::min({uint64_t{size} - sent, room, 1 + random.below(16'000)}));
          if (bytes > 0) send_data(peer, stream, body.substr(sent, bytes), sent + bytes == size);
          sent += bytes;
          break;
        }
        case 3:
          if (world.ring->held() > 0) world.ring->finish(0);
          break;
        case 4:
          if (world.ring->held() > 0) world.ring->finish_short(0, 1 + random.below(40'000));
          break;
        case 5:
          if (!random.one_in(40)) break;
          peer.sends(frame(kReset, 0, stream, number(8, 4)));
          peer.socket().peer_resets();
          is_open = false;
          stream = 0;
          break;
        default:
          world.services->now_ms += random.below(20);
          world.turn();
      }
      if (part.ticket->offset() == size && !part.ticket->outcome())
        part.ticket->conclude({200, "done"});
      if (stream != 0 && answer(world, peer, stream, 1).ended) is_done = true;
      CHECK(part.ticket->offset() <= size);
    }
    while (world.ring->held() > 0) {
      world.ring->finish(0);
      world.turns();
    }
    CHECK(is_done);
    CHECK(answer(world, peer, stream).data == "done");
    const auto there = static_cast<size_t>(part.ticket->offset());
    CHECK(part.content().substr(0, there) == body.substr(0, there));
    CHECK(part.settle() == "");
  }
}
