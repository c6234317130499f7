// SPDX-License-Identifier: Apache-2.0
// WebSockets over streams of HTTP/2 (RFC 8441), with a backend that speaks HTTP/1.1: what opens
// one, what passes, how each end's goodbye reaches the other, and what a window that stays shut
// costs.
#include <string>
#include <vector>

#include "conn/h2/mux.hpp"
#include "doctest/doctest.h"
#include "fakes/http2.hpp"
#include "fakes/proxied.hpp"
#include "http/websocket.hpp"

using namespace spliced;
using namespace spliced::fakes;

namespace {

const std::string kSwitching =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
const std::string kAccept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

std::string connect_fields() {
  return field(":method", "CONNECT") + field(":protocol", "websocket") + field(":scheme", "https") +
         field(":path", "/chat") + field(":authority", "localhost") +
         field("sec-websocket-version", "13");
}

// What the first HEADERS of a stream begins with: its status, where RFC 7541 A has an index for it.
int first_field(const std::string& plaintext, uint32_t stream) {
  for (size_t at = 0; at + 9 < plaintext.size();) {
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(plaintext[at + i]); };
    const size_t bytes = size_t{byte(0)} << 16 | size_t{byte(1)} << 8 | byte(2);
    if (byte(3) == 1 && byte(8) == stream) return byte(9);
    at += 9 + bytes;
  }
  return 0;
}
constexpr int kStatus200 = 0x88;

// A WebSocket is asked for on stream 1, and the backend has its request.
class Tunnel : public Proxied {
 public:
  explicit Tunnel(uint32_t window = 65'535, bool user_space = false) : peer(-1) {
    peer = connect([&](Socket&, TlsScript& script) {
      script.http2 = true;
      if (user_space) script.outcome = tls::Promotion::Outcome::UserSpace;
    });
    peer.sends(kPreface + frame(4, 0, 0, number(4, 2) + number(window, 4)));
    play(peer);
    peer.sends(frame(1, 4, 1, connect_fields()));
    play(peer);
    REQUIRE(connections() == 1);
  }
  void opens() {
    application().peer_sends(kSwitching + kAccept);
    play(peer);
    REQUIRE(status() == kStatus200);
  }
  // The backend says them and goes.
  void hears_last_words() {
    application().peer_sends("last");
    application().peer_half_closes();
    play(peer);
    CHECK(answer().data == "last");
    CHECK(answer().ended);
  }
  int status() const { return first_field(peer.arrived().plaintext, 1); }
  StreamAnswer answer() const { return stream_answers(peer.arrived().plaintext)[1]; }
  // Behind the head.
  std::string heard() {
    const std::string& all = application().accepted_wire();
    return all.substr(all.find("\r\n\r\n") + 4);
  }

  Peer peer;
};

}  // namespace

TEST_CASE("HTTP/2 WebSocket: the backend is asked as over HTTP/1.1, and bytes pass both ways") {
  for (const bool user_space : {false, true}) {
    CAPTURE(user_space);
    Tunnel world(65'535, user_space);
    const std::string head = world.asked();
    CHECK(head.find("GET /chat HTTP/1.1\r\n") == 0);
    CHECK(head.find("Upgrade: websocket\r\n") != head.npos);
    CHECK(head.find("dGhlIHNhbXBsZSBub25jZQ==\r\n") != head.npos);
    world.peer.sends(frame(0, 0, 1, "early"));  // before the 200: it waits
    world.play(world.peer);
    CHECK(world.heard() == "");
    world.opens();
    CHECK(world.heard() == "early");
    world.application().peer_sends("down");
    world.peer.sends(frame(0, 0, 1, "up"));
    world.play(world.peer);
    CHECK(world.heard() == "earlyup");
    CHECK(world.answer().data == "down");
    CHECK_FALSE(world.answer().ended);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("HTTP/2 WebSocket: what does not open one does not look like one") {
  const std::string answers[] = {
      kSwitching + "\r\n",
      kSwitching + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"};
  for (const std::string& answer : answers) {
    CAPTURE(answer);
    Tunnel world;
    world.application().peer_sends(answer);
    world.play(world.peer);
    CHECK(world.status() != kStatus200);
    CHECK(world.answer().ended);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("HTTP/2 WebSocket: each end's goodbye reaches the other") {
  SUBCASE("END_STREAM is the backend's FIN, and its last words come") {
    Tunnel world;
    world.opens();
    world.peer.sends(frame(0, 1, 1, "bye"));
    world.play(world.peer);
    CHECK(world.heard() == "bye");
    CHECK(world.application().half_closed());
    world.hears_last_words();
    CHECK_FALSE(world.answer().reset);
    CHECK(world.settle_accounts() == "");
  }
  SUBCASE("the backend's FIN is END_STREAM, behind what it said") {
    Tunnel world;
    world.opens();
    world.hears_last_words();
    CHECK(world.settle_accounts() == "");
  }
  SUBCASE("the backend's reset is RST_STREAM") {
    Tunnel world;
    world.opens();
    world.application().peer_resets();
    world.play(world.peer);
    CHECK(world.answer().reset);
    CHECK_FALSE(world.answer().ended);
    CHECK(world.settle_accounts() == "");
  }
  SUBCASE("the client's RST_STREAM ends the backend's connection, and nothing else") {
    Tunnel world;
    world.opens();
    world.peer.sends(frame(3, 0, 1, number(8, 4)));
    world.play(world.peer);
    CHECK(world.application().closed());
    CHECK(world.state(world.peer) == conn::State::AwaitStreams);
    CHECK(world.settle_accounts() == "");
  }
  SUBCASE("a stop says Close, 1001, to both") {
    Tunnel world;
    world.opens();
    conn::begin_stop(*world.services);
    world.play(world.peer, 200);
    CHECK(world.answer().data == http::kGoingAway);
    CHECK(world.answer().ended);
    CHECK(world.heard() == http::kGoingAwayMasked);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("HTTP/2 WebSocket: who does not read holds up its own side alone, within bounds") {
  SUBCASE("a client with a shut window") {
    Tunnel world(100);
    world.opens();
    for (int i = 0; i < 50; i++) world.application().peer_sends(std::string(10'000, 'd'));
    world.play(world.peer);
    CHECK(world.answer().data.size() == 100);
    world.peer.sends(frame(0, 0, 1, "up"));
    world.play(world.peer);
    CHECK(world.heard() == "up");
    world.peer.sends(frame(8, 0, 1, number(1'000'000, 4)) + frame(8, 0, 0, number(1'000'000, 4)));
    world.play(world.peer, 200);
    CHECK(world.answer().data == std::string(500'000, 'd'));
    CHECK(world.settle_accounts() == "");
  }
  SUBCASE("a backend that takes nothing: the stream's window stays shut") {
    Tunnel world;
    world.opens();
    world.application().take_at_most = 0;
    world.application().send_buffer_bytes = 1;
    for (int i = 0; i < 4; i++) world.peer.sends(frame(0, 0, 1, std::string(16'000, 'u')));
    world.pump(world.peer, 50);
    const conn::Connection* c = world.find(world.peer.fd());
    REQUIRE(c != nullptr);
    REQUIRE(c->h2->streams.size() == 1);
    CHECK(c->h2->streams[0]->body.size() <= limits::kStreamWindowBytes);
    CHECK(world.answer().window < limits::kStreamWindowBytes / 2);
    CHECK(world.settle_accounts() == "");
  }
}
