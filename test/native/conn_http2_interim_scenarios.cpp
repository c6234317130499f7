// SPDX-License-Identifier: Apache-2.0
// Interim responses over HTTP/2: of those that a client does not read one alone waits for it, the
// others stay with their backend.
#include <string>

#include "conn/h2/mux.hpp"
#include "conn/proxy/exchange.hpp"
#include "doctest/doctest.h"
#include "fakes/http2.hpp"
#include "fakes/proxied.hpp"

using namespace spliced;
using namespace spliced::fakes;

TEST_CASE("HTTP/2: one interim response waits for a client that reads nothing") {
  const std::string hint =
      "HTTP/1.1 103 Early Hints\r\nLink: " + std::string(14'000, '~') + "\r\n\r\n";
  Proxied world;
  const Peer peer = world.connect([](Socket&, TlsScript& script) { script.http2 = true; });
  peer.sends(kPreface + frame(4, 0, 0));
  world.play(peer);
  peer.socket().send_buffer_bytes = 1000;
  peer.sends(frame(1, 5, 1, request_fields("GET", "/")));
  world.turns();
  for (int i = 0; i < 30; i++) world.application().peer_takes(), world.turns();
  for (uint32_t i = 0; i < limits::kInterimResponsesMax; i++) world.application().peer_sends(hint);
  world.application().peer_sends(answer("ok"));
  for (int i = 0; i < 100; i++) {
    world.services->now_ms += limits::kTickMs;
    world.turns();
  }
  const conn::Connection* c = world.find(peer.fd());
  REQUIRE(c != nullptr);
  REQUIRE(c->h2->streams.size() == 1);
  const conn::Stream& stream = *c->h2->streams[0];
  REQUIRE(stream.request.exchange != nullptr);
  CHECK(stream.informing);
  // Those that are on their way: in TCP, the TLS layer and the output.
  CHECK(stream.request.exchange->interim <= 5);
  world.play(peer, 400);
  const StreamAnswer came = stream_answers(peer.arrived().plaintext)[1];
  CHECK(came.ended);
  CHECK(came.data == "ok");
  CHECK(peer.arrived().plaintext.size() > limits::kInterimResponsesMax * size_t{14'000});
  CHECK(world.settle_accounts() == "");
}
