// SPDX-License-Identifier: Apache-2.0
// Scenarios: deadlines, resets, stops, broken disks and ciphers, in every state.
#include <errno.h>
#include <poll.h>

#include <functional>
#include <ostream>
#include <string>

#include "doctest/doctest.h"
#include "fakes/world.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::Ending;
using conn::State;

namespace {

// A connection that rests in each of the states, and the ending that giving it up there must have.
struct Resting {
  std::string name;
  State state;
  Ending given_up;
  std::function<void(World&, const Peer&)> bring;
};

Peer connect(World& world, bool handshake_done) {
  return world.connect([&](Socket& socket, TlsScript& script) {
    socket.send_buffer_bytes = 20'000;
    socket.asynchronous_cipher = true;
    if (!handshake_done) script.handshake.assign(1000, tls::Handshake::NeedRead);
  });
}

const Resting kResting[] = {
    {"handshake", State::Handshake, Ending::NotServed, [](World&, const Peer&) {}},
    {"idle", State::ReadHead, Ending::Aborted, [](World&, const Peer&) {}},
    {"half a head", State::ReadHead, Ending::Aborted,
     [](World&, const Peer& peer) { peer.sends("GET /fi"); }},
    {"cold open", State::OpenFile, Ending::Aborted,
     [](World& world, const Peer& peer) {
       world.ring->hold_file_operations = true;
       kernel().names_resident = false;
       peer.get("/new/name");
     }},
    {"cold small body", State::OpenFile, Ending::Aborted,
     [](World& world, const Peer& peer) {
       world.ring->hold_file_operations = true;
       kernel().residency = Kernel::Residency::Cold;
       peer.get("/small");
     }},
    {"response head", State::Respond, Ending::Aborted,
     [](World&, const Peer& peer) {
       peer.socket().send_buffer_bytes = 0;
       peer.get("/small");
     }},
    {"cold fill", State::Splice, Ending::Aborted,
     [](World& world, const Peer& peer) {
       world.ring->hold_file_operations = true;
       kernel().residency = Kernel::Residency::Cold;
       peer.get("/large");
     }},
    {"body, brake on", State::Splice, Ending::Aborted,
     [](World&, const Peer& peer) { peer.get("/large"); }},
    {"close_notify", State::CloseNotify, Ending::Aborted,
     [](World& world, const Peer& peer) {
       peer.get("/small");
       world.turns();
       peer.socket().send_buffer_bytes = 0;
       peer.says_goodbye();
     }},
    {"settle", State::Settle, Ending::Aborted,
     [](World&, const Peer& peer) { peer.get("/small", "Connection: close\r\n"); }},
    {"linger", State::Linger, Ending::Aborted,
     [](World& world, const Peer& peer) {
       peer.get("/small", "Connection: close\r\n");
       world.turns();
       peer.socket().cipher_completes_all();
       world.advance(50);
     }},
};

void each_state(const std::function<void(World&, const Peer&, const Resting&)>& check) {
  for (const Resting& resting : kResting) {
    CAPTURE(resting.name);
    World world;
    world.site.write("new/name", 100);
    world.site.write("small", 3000);
    world.site.write("large", 1'000'000);
    const Peer peer = connect(world, resting.state != State::Handshake);
    world.turns();
    resting.bring(world, peer);
    world.turns();
    REQUIRE(world.state(peer) == resting.state);
    check(world, peer, resting);
    CHECK(world.settle_accounts() == "");
  }
}

}  // namespace

TEST_CASE("every state: given up by abort_all") {
  each_state([](World& world, const Peer& peer, const Resting& resting) {
    world.ring->hold_cancels = true;
    conn::abort_all(*world.services);
    CHECK(world.state(peer) == State::Join);
    CHECK_FALSE(peer.socket().closed());
    world.ring->release_cancels();
    world.turns();
    while (world.ring->held() > 0) {
      CHECK_FALSE(peer.socket().closed());  // the disk still works for it
      world.ring->finish();
      world.turns();
    }
    CHECK(peer.socket().closed());
    // Nothing of what was asked for is lost where nothing was asked for.
    const bool asked = resting.state != State::ReadHead;
    CHECK(world.ending(peer) == (asked ? resting.given_up : Ending::NotServed));
  });
}

TEST_CASE("every state: the peer resets") {
  each_state([](World& world, const Peer& peer, const Resting& resting) {
    peer.socket().peer_resets();
    if (resting.state == State::Handshake) {
      tls_script(peer.fd()).handshake = {tls::Handshake::Failed};
      tls_script(peer.fd()).failure = tls::HandshakeFailure::PeerClosed;
    }
    world.advance(500);
    while (world.ring->held() > 0) {
      world.ring->finish();
      world.turns();
    }
    world.advance(3000);
    CHECK(world.state(peer) == State::Free);
    CHECK(world.figures.aborted.get() == 0);
    CHECK(world.figures.drained.get() == 0);
    const bool served = resting.state != State::Handshake;
    CHECK(world.ending(peer) == (served ? Ending::PeerGone : Ending::NotServed));
  });
}

TEST_CASE("every state: nothing moves any more, and it still ends by itself") {
  each_state([](World& world, const Peer& peer, const Resting& resting) {
    world.advance(12'000);
    if (world.ring->held() > 0) {
      CHECK(world.state(peer) == State::Join);
      while (world.ring->held() > 0) world.ring->finish();
      world.turns();
    }
    world.advance(12'000);
    CHECK(world.state(peer) == State::Free);
    CHECK(world.figures.open.get() == 0);
    CHECK(world.ending(peer) == resting.given_up);
  });
}

TEST_CASE("every state: a graceful stop lets it end, with its response") {
  each_state([](World& world, const Peer& peer, const Resting& resting) {
    conn::begin_stop(*world.services);
    world.ring->hold_file_operations = false;
    while (world.ring->held() > 0) world.ring->finish();
    peer.socket().send_buffer_bytes = 20'000;
    world.run_to_end(peer);
    CHECK(world.state(peer) == State::Free);
    const bool served = resting.state != State::Handshake;
    CHECK(world.ending(peer) == (served ? Ending::Drained : Ending::NotServed));
    if (served) CHECK(peer.alerts() == std::vector<uint8_t>{0});
    for (const Response& response : peer.responses()) CHECK(response.whole);
    const bool asked = served && resting.state != State::ReadHead;  // half a head is not a request
    CHECK(peer.responses().size() == (asked ? 1 : 0));
    CHECK(world.figures.aborted.get() == 0);
  });
}

TEST_CASE("a stop closes at once what is idle after a response, half a head or not") {
  for (const char* next : {"", "GET /fi"}) {
    CAPTURE(next);
    World world;
    world.site.write("small", 3000);
    const Peer peer = connect(world, true);
    peer.get("/small");
    world.turns();
    peer.sends(next);
    world.turns();
    REQUIRE(world.state(peer) == State::ReadHead);
    conn::begin_stop(*world.services);
    world.turns();
    CHECK(world.state(peer) == State::Settle);
    peer.socket().cipher_completes_all();
    world.run_to_end(peer);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("a stop leaves a new connection the time for its first request") {
  each_state([](World& world, const Peer& peer, const Resting& resting) {
    if (resting.state != State::Handshake && resting.state != State::ReadHead) return;
    conn::begin_stop(*world.services);
    world.advance(limits::kFirstRequestMs / 4);
    CHECK(world.state(peer) == resting.state);
    SUBCASE("which it uses") {
      if (resting.state == State::Handshake) return;
      peer.sends(resting.name == "idle" ? "GET /small HTTP/1.1\r\nHost: a\r\n\r\n"
                                        : "ne HTTP/1.1\r\nHost: a\r\n\r\n");
      world.turns();
      world.run_to_end(peer);
      CHECK(peer.responses().size() == 1);
      CHECK(world.ending(peer) == Ending::Drained);
    }
    SUBCASE("which it lets pass") {
      world.advance(limits::kFirstRequestMs);
      CHECK_FALSE(world.state(peer) == resting.state);
      world.run_to_end(peer);
      CHECK(peer.responses().empty());
    }
    CHECK(world.figures.aborted.get() == 0);
  });
}

TEST_CASE("every state: the watch ends by itself and is taken up again") {
  each_state([](World& world, const Peer& peer, const Resting&) {
    world.ring->end_watch(peer.fd(), POLLIN);
    world.turns();
    CHECK(world.ring->outstanding() >= 1);
    CHECK_FALSE(world.state(peer) == State::Free);
  });
}

TEST_CASE("every state: the watch fails, and the connection ends") {
  each_state([](World& world, const Peer& peer, const Resting&) {
    world.ring->end_watch(peer.fd(), -ENOMEM);
    world.turns();
    while (world.ring->held() > 0) world.ring->finish();
    world.turns();
    CHECK(world.state(peer) == State::Free);
    CHECK(world.ending(peer) == Ending::Aborted);
  });
}

TEST_CASE("idle and slow heads have their own deadlines") {
  World world;
  const Peer idle = world.connect(), slow = world.connect();
  world.turns();
  slow.sends("GET / HT");
  world.advance(1400);
  CHECK(world.state(slow) == State::ReadHead);
  slow.sends("TP");  // more bytes do not buy more time
  world.advance(200);
  CHECK_FALSE(world.state(slow) == State::ReadHead);
  world.advance(3000);
  CHECK(world.state(idle) == State::ReadHead);
  world.advance(600);
  CHECK_FALSE(world.state(idle) == State::ReadHead);
  idle.socket().peer_takes();
  CHECK(idle.alerts() == std::vector<uint8_t>{0});
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("a file that is cut short while it is sent ends visibly, never with close_notify") {
  for (bool cold : {false, true}) {
    for (bool user_space : {false, true}) {
      for (size_t left : {size_t{0}, size_t{100'000}, size_t{131'072}, size_t{250'000}}) {
        CAPTURE(cold);
        CAPTURE(user_space);
        CAPTURE(left);
        World world;
        world.site.write("file", 300'000);
        if (cold) kernel().residency = Kernel::Residency::Cold;
        const Peer peer = world.connect([&](Socket& socket, TlsScript& script) {
          socket.send_buffer_bytes = 10'000;
          if (user_space) script.outcome = tls::Promotion::Outcome::UserSpace;
        });
        peer.get("/file");
        world.turns();
        world.site.truncate("file", left);
        world.run_to_end(peer, 5000);
        CHECK(world.ending(peer) == Ending::Aborted);
        CHECK(peer.alerts().empty());
        CHECK(peer.socket().reset());
        CHECK(world.settle_accounts() == "");
      }
    }
  }
}

TEST_CASE("the cipher fails while sending: aborted") {
  World world;
  world.site.write("file", 1'000'000);
  const Peer peer = connect(world, true);
  peer.get("/file");
  world.turns();
  peer.socket().cipher_fails();
  peer.socket().cipher_completes_all();
  peer.socket().peer_takes();
  world.advance(1000);
  CHECK(world.ending(peer) == Ending::Aborted);
  CHECK(world.figures.encrypt_failures.get() == 1);
  CHECK(peer.alerts().empty());  // no close_notify
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("the cipher fails at the last record: aborted, and the farewell is none") {
  World world;
  world.site.write("file", 1'000);
  const Peer peer = connect(world, true);
  peer.get("/file");
  world.turns();
  peer.socket().cipher_completes_all();
  world.advance(1000);
  peer.socket().cipher_fails();
  peer.says_goodbye();
  world.advance(1000);
  CHECK(world.ending(peer) == Ending::Aborted);
  CHECK(world.figures.encrypt_failures.get() == 1);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("the cipher fails while receiving: an alert says whose fault it was") {
  for (const int error : {EIO, ENOMEM}) {
    CAPTURE(error);
    World world;
    const Peer peer = connect(world, true);
    peer.get("/none");
    world.turns();
    peer.socket().cipher_completes_all();
    peer.socket().peer_breaks(error);
    world.advance(1000);
    peer.socket().cipher_completes_all();
    world.advance(1000);
    peer.socket().peer_takes();
    world.advance(10'000);
    CHECK(world.ending(peer) == Ending::Aborted);
    CHECK(world.figures.decrypt_failures.get() == 1);
    CHECK(peer.alerts().size() == 1);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("a disk that fails while sending: aborted; while opening: 404 or 503") {
  for (bool opening : {false, true}) {
    for (int error : {EIO, ENOENT, EMFILE}) {
      CAPTURE(opening);
      CAPTURE(error);
      World world;
      world.site.write("dir/file", 1'000'000);
      kernel().names_resident = !opening;
      kernel().residency = Kernel::Residency::Cold;
      world.ring->hold_file_operations = true;
      const Peer peer = connect(world, true);
      peer.get("/dir/file");
      world.turns();
      REQUIRE(world.ring->held() == 1);
      CHECK((world.ring->held_kind(0) == ring::Kind::OpenFile) == opening);
      world.ring->fail(0, error);
      world.pump(peer);
      if (opening) {
        REQUIRE(peer.responses().size() == 1);
        CHECK(peer.responses()[0].status == (error == ENOENT ? 404 : 503));
      } else {
        CHECK(world.ending(peer) == Ending::Aborted);
      }
      CHECK(world.settle_accounts() == "");
    }
  }
}
