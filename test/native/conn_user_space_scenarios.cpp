// SPDX-License-Identifier: Apache-2.0
// Scenarios: TLS in user space. How many records leave by one call, and that none waits for what
// may take long.
#include <algorithm>
#include <string>

#include "doctest/doctest.h"
#include "fakes/ask.hpp"
#include "fakes/http2.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::State;

namespace {

constexpr size_t kRecordsPerCall = limits::kSendBytes / limits::kRecordPlaintextBytes;

size_t records_of(size_t bytes) {
  return (bytes + limits::kRecordPlaintextBytes - 1) / limits::kRecordPlaintextBytes;
}

size_t unsent_bytes(const World& world, const Peer& peer) {
  const conn::Connection* c = world.find(peer.fd());
  return c != nullptr && c->tls.session ? c->tls.session->unsent_bytes() : 0;
}

// The client asks for it and reads it all; how many calls sent it.
size_t sends_for(World& world, const Peer& peer, const char* path) {
  const size_t before = peer.socket().sends();
  peer.get(path);
  world.pump(peer);
  return peer.socket().sends() - before;
}

}  // namespace

TEST_CASE("user space: the head and four records of a large body leave by one call") {
  for (const size_t size : {size_t{65'537}, size_t{300'001}, size_t{1'000'000}}) {
    CAPTURE(size);
    World world;
    const std::string content = world.site.write("file.bin", size);
    const Peer peer = connect(world, Path::UserSpace, 4 << 20);
    world.turns();
    const size_t calls = (records_of(size) + kRecordsPerCall - 1) / kRecordsPerCall;
    CHECK(sends_for(world, peer, "/file.bin") == calls);
    REQUIRE(peer.responses().size() == 1);
    CHECK(peer.responses()[0].body == content);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("user space: over HTTP/2 frames leave as many by one call") {
  for (const size_t size : {size_t{1'000}, size_t{65'537}, size_t{300'001}, size_t{1'000'000}}) {
    CAPTURE(size);
    World world;
    const std::string content = world.site.write("file.bin", size);
    const Peer peer = world.connect([&](Socket& socket, TlsScript& script) {
      script.http2 = true;
      script.outcome = tls::Promotion::Outcome::UserSpace;
      socket.send_buffer_bytes = 4 << 20;
    });
    const std::string wide = number(4, 2) + number(1 << 24, 4);
    peer.sends(kPreface + frame(4, 0, 0, wide) + frame(8, 0, 0, number(1 << 24, 4)));
    world.pump(peer);
    const size_t before = peer.socket().sends();
    peer.sends(frame(1, 5, 1, request_fields("GET", "/file.bin")));
    world.pump(peer, 200);
    const StreamAnswer answer = stream_answers(peer.arrived().plaintext)[1];
    CHECK(answer.ended);
    CHECK(answer.data == content);
    // The head's frame takes room of the first record, and each payload has a header.
    const size_t records = records_of(size + 1024) + 1;
    CHECK(peer.socket().sends() - before <= (records + kRecordsPerCall - 1) / kRecordsPerCall);
    CHECK(unsent_bytes(world, peer) == 0);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("user space: a body that is kept leaves by one call with its head") {
  for (const size_t size : {size_t{1'000}, size_t{16'384}, size_t{40'000}}) {
    CAPTURE(size);
    World world;
    const std::string content = world.site.write("kept", size);
    const Peer peer = connect(world, Path::UserSpace, 4 << 20);
    peer.get("/kept");
    world.pump(peer);
    CHECK(sends_for(world, peer, "/kept") == 1);
    REQUIRE(peer.responses().size() == 2);
    CHECK(peer.responses()[1].body == content);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("user space: what is in hand leaves before the disk is waited for") {
  World world;
  const std::string content = world.site.write("file.bin", 300'001);
  kernel().residency = Kernel::Residency::Cold;
  world.ring->hold_file_operations = true;
  const Peer peer = connect(world, Path::UserSpace, 4 << 20);
  peer.get("/file.bin");
  size_t sent = 0;
  for (int reads = 0; world.state(peer) != State::Splice && reads < 3; reads++) {
    world.pump(peer);
    if (world.ring->held() > 0 && world.state(peer) != State::Splice) world.ring->finish();
  }
  world.pump(peer);
  while (world.ring->held() > 0) {
    CHECK(unsent_bytes(world, peer) == 0);
    REQUIRE(peer.responses().size() == 1);
    CHECK(peer.responses()[0].body == content.substr(0, sent));
    world.ring->finish();
    world.pump(peer);
    sent = std::min(content.size(), sent + limits::kPieceBytes);
  }
  CHECK(peer.responses()[0].whole);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("user space: what a slow reader leaves in the session is bounded, and nothing is lost") {
  constexpr size_t kOverheadMax = 64;
  for (const size_t room : {size_t{1}, size_t{5'000}, size_t{20'000}, size_t{100'000}}) {
    CAPTURE(room);
    World world;
    const std::string content = world.site.write("file.bin", 300'001);
    const Peer peer = connect(world, Path::UserSpace, std::max(room, size_t{400}));
    peer.get("/file.bin");
    world.turns();
    size_t most = 0;
    for (int i = 0; i < 2000 && peer.socket().peer_takes() > 0; i++) {
      world.turns();
      most = std::max(most, unsent_bytes(world, peer));
    }
    CHECK(most < limits::kSendBytes + limits::kRecordPlaintextBytes + kOverheadMax);
    REQUIRE(peer.responses().size() == 1);
    CHECK(peer.responses()[0].body == content);
    CHECK(world.state(peer) == State::ReadHead);
    CHECK(world.settle_accounts() == "");
  }
}
