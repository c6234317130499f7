// SPDX-License-Identifier: Apache-2.0
// Scenarios: KeyUpdates of the peer and what answers them, where the kernel takes new keys (Linux
// 6.14 and later). The peer of the fakes opens nothing that is under another key than it should be.
#include <errno.h>

#include <ostream>
#include <string>

#include "conn/alert.hpp"
#include "doctest/doctest.h"
#include "fakes/http2.hpp"
#include "fakes/new_keys.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::Ending;
using conn::State;
namespace alert = spliced::conn::alert;

TEST_CASE("a KeyUpdate goes on, and is answered where that was asked for") {
  for (bool requested : {false, true}) {
    for (bool asynchronous : {false, true}) {
      CAPTURE(requested);
      CAPTURE(asynchronous);
      World world;
      world.site.write("ten", 10);
      const Peer peer = connect_with_new_keys(world, kTls13, asynchronous);
      peer.get("/ten");
      world.pump(peer);
      for (int i = 0; i < 3; i++) {
        peer.updates_key(requested);
        peer.get("/ten");
        world.pump(peer);
      }
      CHECK(peer.responses().size() == 4);
      CHECK(peer.arrived().key_updates == (requested ? Updates{0, 0, 0} : Updates{}));
      CHECK(world.figures.key_updates_received.get() == 3);
      CHECK(world.figures.key_updates_sent.get() == (requested ? 3 : 0));
      CHECK(world.state(peer) == State::ReadHead);
      peer.says_goodbye();
      world.run_to_end(peer);
      CHECK(peer.alerts() == Alerts{alert::kCloseNotify});
      CHECK(world.ending(peer) == Ending::Drained);
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("an answer that finds no room goes before the next data") {
  World world;
  world.site.write("ten", 10);
  world.site.write("file", 200'000);
  const Peer peer = connect_with_new_keys(world, kTls13, false);
  peer.socket().peer_takes();
  peer.socket().send_buffer_bytes = 1;  // the first record fills it
  peer.get("/ten");
  world.turns();
  peer.updates_key(true);
  peer.updates_key(true);
  peer.get("/file");
  world.turns();
  CHECK(world.figures.key_updates_received.get() == 2);
  CHECK(world.figures.key_updates_sent.get() == 0);
  peer.socket().send_buffer_bytes = 65536;
  world.run_to_end(peer);
  CHECK(peer.responses().size() == 2);
  CHECK(peer.responses().back().whole);
  CHECK(peer.arrived().key_updates == Updates{0});  // one for both (RFC 8446 4.6.3)
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("whatever is sent next, an answer that is due goes before it") {
  // A body in memory, a head and a file, an answer without a file.
  for (const char* path : {"/ten", "/file", "/nothing"}) {
    CAPTURE(std::string(path));
    World world;
    world.site.write("ten", 10);
    world.site.write("file", 200'000);
    const Peer peer = connect_with_new_keys(world, kTls13, false);
    peer.socket().peer_takes();
    peer.socket().send_buffer_bytes = 1;
    peer.get("/ten");
    world.turns();
    peer.updates_key(true);
    peer.get(path);
    world.turns();
    CHECK(world.figures.key_updates_sent.get() == 0);
    peer.socket().send_buffer_bytes = 65536;
    world.run_to_end(peer);
    CHECK(peer.responses().size() == 2);
    const std::vector<wire::Record> records = peer.arrived().records;
    REQUIRE(records.size() >= 4);  // the first one is the handshake's
    CHECK(records[1].type == wire::kApplicationData);
    CHECK(records[2].type == wire::kHandshake);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("KeyUpdates in a row: so many, and then the alert") {
  World world;
  world.site.write("ten", 10);
  const Peer peer = connect_with_new_keys(world), other = connect_with_new_keys(world);
  for (size_t round = 1; round <= 2; round++) {  // data in between begins the count anew
    for (size_t i = 0; i < limits::kRecordsWithoutDataMax; i++) peer.updates_key(true);
    peer.get("/ten");
    world.pump(peer);
    CHECK(peer.responses().size() == round);
  }
  for (size_t i = 0; i < 500; i++) peer.updates_key(true);
  other.get("/ten");
  world.turns();
  other.socket().cipher_completes_all();
  other.socket().peer_takes();
  CHECK(other.responses().size() == 1);
  world.run_to_end(peer);
  CHECK(peer.alerts() == Alerts{alert::kUnexpectedMessage});
  CHECK(world.figures.key_updates_sent.get() <= 3 * limits::kRecordsWithoutDataMax);
  CHECK(world.figures.floods[static_cast<size_t>(tls::Flood::RecordsWithoutData)].get() == 1);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("a KeyUpdate that is none ends the connection, as where the kernel takes no new keys") {
  for (const std::string& message : {std::string("\x18\0\0\2\0", 5), std::string("\x18\0\0\1\2", 5),
                                     std::string("\x18\0\0\1\0\x18", 6), std::string("\x18")}) {
    World world;
    const Peer peer = connect_with_new_keys(world);
    peer.socket().peer_sends(message, os::RecordType::Handshake);
    peer.get("/");
    world.run_to_end(peer);
    CHECK(peer.alerts().size() == 1);
    CHECK(peer.responses().empty());
    CHECK(world.figures.key_updates_received.get() == 0);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("TLS 1.2 has none") {
  World world;
  const Peer peer = connect_with_new_keys(world, kTls12);
  peer.updates_key(false);
  world.run_to_end(peer);
  CHECK(peer.alerts() == Alerts{alert::kUnexpectedMessage});
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("a kernel that does not take the new key after all") {
  for (bool ours : {false, true}) {
    CAPTURE(ours);
    World world;
    world.site.write("ten", 10);
    const Peer peer =
        connect_with_new_keys(world, kTls13, true, ours ? limits::kRecordsPerKeyMax : uint64_t{1});
    TlsScript& script = tls_script(peer.fd());
    script.new_receive_key_fails = script.new_transmit_key_fails = true;
    if (!ours) peer.updates_key(true);
    peer.get("/ten");
    peer.get("/ten");
    world.run_to_end(peer);
    CHECK(world.figures.key_updates_received.get() + world.figures.key_updates_sent.get() == 0);
    if (!ours) CHECK(peer.alerts() == Alerts{alert::kInternalError});
    if (ours) CHECK(world.ending(peer) == Ending::Aborted);  // the peer expects what cannot be sent
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("a kernel that does not take the key that the peer asked for: what follows is lost") {
  World world;
  const Peer peer = connect_with_new_keys(world);
  tls_script(peer.fd()).new_transmit_key_fails = true;
  peer.updates_key(true);
  world.turns();
  CHECK(world.state(peer) != State::ReadHead);
  world.run_to_end(peer);
  CHECK(peer.alerts().empty());  // it would be under the former key
  CHECK(world.ending(peer) == Ending::Aborted);
  CHECK(world.figures.key_updates_sent.get() == 0);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("a kernel that does not tell the number of the next record: what follows is lost") {
  // On the peer's behalf; in front of a body in memory, of a head and a file, of an answer alone.
  for (const char* path : {"", "/ten", "/file", "/nothing"}) {
    CAPTURE(std::string(path));
    const bool asked = path[0] == 0;
    World world;
    world.site.write("ten", 10);
    world.site.write("file", 200'000);
    const Peer peer = connect_with_new_keys(world, kTls13, false,
                                            asked ? uint64_t{1} : limits::kRecordsPerKeyMax);
    peer.get("/ten");
    world.pump(peer);
    REQUIRE(peer.responses().size() == 1);
    peer.socket().figures_fail = true;
    asked ? peer.updates_key(true) : peer.get(path);
    world.run_to_end(peer);
    // Nothing under the former key follows what announces the next one.
    CHECK(wire::decode(peer.socket().accepted_wire()).records.back().type == wire::kHandshake);
    CHECK(peer.responses().size() == 1);
    CHECK(world.figures.key_updates_sent.get() == 0);
    CHECK(world.ending(peer) == Ending::Aborted);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("HTTP/2: an answer waits for what the ring has of ours") {
  World world;
  const Peer peer = world.connect([&](Socket& socket, TlsScript& script) {
    socket.takes_new_keys = true;
    script.http2 = true;
  });
  peer.sends(kPreface + frame(4, 0, 0));
  world.pump(peer);
  for (int i = 0; i < 6; i++) {
    peer.sends(frame(6, 0, 0, "pingpong"));
    const conn::Connection* c = world.find(peer.fd());
    REQUIRE(c != nullptr);
    for (int steps = 0; steps < 4 && !c->ops.sending; steps++) {
      if (world.ring->queued() > 0) world.deliver_one();
      if (!c->ops.sending) conn::run_ready(*world.services);
    }
    REQUIRE(c->ops.sending);
    peer.updates_key(true);
    world.deliver_one();  // the request comes before the completion of what is sent
    CHECK(c->ops.sending);
    CHECK(world.figures.key_updates_received.get() == static_cast<uint64_t>(i) + 1);
    // The answer to the one before went before this ping's; this one's goes before the next data.
    CHECK(world.figures.key_updates_sent.get() == static_cast<uint64_t>(i));
    world.pump(peer);
  }
  const std::string text = peer.arrived().plaintext;
  size_t answered = 0;
  for (size_t at = 0; (at = text.find(frame(6, 1, 0, "pingpong"), at)) != text.npos; at++)
    answered++;
  CHECK(answered == 6);
  CHECK(world.figures.ledger_contradictions.get() == 0);
  peer.says_goodbye();
  world.run_to_end(peer);
  CHECK(world.settle_accounts() == "");
}
