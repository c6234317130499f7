// SPDX-License-Identifier: Apache-2.0
// Scenarios: heads that need more than one buffer, of requests and of answers.
#include <memory>
#include <string>

#include "doctest/doctest.h"
#include "fakes/http2.hpp"
#include "fakes/proxied.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::State;

namespace {

std::string cookies(size_t bytes) {
  std::string lines;
  for (size_t i = 0; lines.size() < bytes; i++)
    lines += "Set-Cookie: c" + std::to_string(i) + "=" + std::string(4096, 'x') + "\r\n";
  return lines;
}

conn::Options with_heads(size_t bytes) {
  conn::Options options = World::small_options();
  options.head.head_bytes_max = bytes;
  options.upstream_head_bytes_max = bytes;
  return options;
}

class Long : public World {
 public:
  explicit Long(size_t bytes) : World(with_heads(bytes)) { serve({proxy_route()}); }
  Socket& application() { return kernel().at(kernel().backend.sockets.back()); }
  void play(const Peer& peer, int count = 80) {
    for (int i = 0; i < count; i++) {
      pump(peer, 1);
      if (!kernel().backend.sockets.empty() && !application().closed()) application().peer_takes();
    }
  }
};

}  // namespace

TEST_CASE("four cookies of 4 KiB pass, and the idle connection holds no buffer") {
  for (const Path path : kPaths) {
    for (const size_t bytes : {17'000, 31'000}) {
      CAPTURE(static_cast<int>(path));
      Long world(limits::kUpstreamHeadBytesMax);
      const Peer peer = connect(world, path);
      peer.get("/");
      world.play(peer);
      const std::string fields = cookies(bytes - 4200);
      world.application().peer_sends(answer("hello", fields));
      world.play(peer);
      const auto responses = peer.responses();
      REQUIRE(responses.size() == 1);
      CHECK(responses[0].status == 200);
      CHECK(responses[0].body == "hello");
      CHECK(responses[0].head.find(fields) != std::string::npos);
      const conn::Connection* c = world.find(peer.fd());
      REQUIRE(c != nullptr);
      CHECK(c->state == State::ReadHead);
      CHECK(c->input.memory == nullptr);
      CHECK(c->output.memory == nullptr);
      CHECK_FALSE(c->output.is_large());
      CHECK(world.figures.upstreams_idle.get() == 1);
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("an answer's head beyond the bound is 502, at every length") {
  for (const size_t most : {size_t{4096}, size_t{16384}, limits::kUpstreamHeadBytesMaxCeiling}) {
    for (const int more : {0, 1}) {
      CAPTURE(most);
      CAPTURE(more);
      Long world(most);
      const Peer peer = connect(world, Path::KernelSync);
      peer.get("/");
      world.play(peer);
      std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: ";
      head += std::string(most + static_cast<size_t>(more) - head.size() - 4, 'x') + "\r\n\r\n";
      for (size_t at = 0; at < head.size(); at += 9000) {
        world.application().peer_sends(head.substr(at, 9000));
        world.play(peer, 3);
      }
      if (more == 0) world.application().peer_sends("ok");
      world.play(peer);
      const auto responses = peer.responses();
      REQUIRE(responses.size() == 1);
      CHECK(responses[0].status == (more == 0 ? 200 : 502));
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("HTTP/2: an answer's head of every length up to the bound reaches the client") {
  for (const size_t bytes : {size_t{9'000}, size_t{31'000}, size_t{60'000}, size_t{66'000},
                             limits::kUpstreamHeadBytesMaxCeiling}) {
    for (const size_t fields : {size_t{1}, limits::kUpstreamFieldsMax - 3}) {
      CAPTURE(bytes);
      CAPTURE(fields);
      Long world(limits::kUpstreamHeadBytesMaxCeiling);
      Peer peer = world.connect([](Socket&, TlsScript& script) { script.http2 = true; });
      peer.sends(kPreface + frame(4, 0, 0));
      world.turns();
      peer.sends(frame(1, 5, 1, request_fields("GET", "/")));
      world.play(peer);
      std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";
      // No two are the same, and RFC 7541 B packs no '~' into less than a byte.
      for (size_t i = 100; head.size() + bytes / fields < bytes; i++)
        head += "X: " + std::to_string(i) + std::string(bytes / fields - 8, '~') + "\r\n";
      head += "Y: " + std::string(bytes - head.size() - 7, '~') + "\r\n\r\n";
      world.application().peer_sends(head + "ok");
      world.play(peer);
      const std::string said = peer.arrived().plaintext;
      const StreamAnswer answer = stream_answers(said)[1];
      CHECK(answer.ended);
      CHECK_FALSE(answer.reset);
      CHECK(answer.data == "ok");
      CHECK(said.size() > bytes * 9 / 10);
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE(
    "a request's head of every length up to the bound reaches the application, with its body") {
  for (const Path path : kPaths) {
    for (const size_t bytes : {size_t{9'000}, size_t{16'384}, size_t{17'000}, size_t{64'000},
                               limits::kHeadBytesMaxCeiling}) {
      CAPTURE(static_cast<int>(path));
      CAPTURE(bytes);
      Long world(limits::kHeadBytesMaxCeiling);
      const Peer peer = connect(world, path);
      std::string head = Peer::request("POST", "/", "Content-Length: 40000\r\nX-Ticket: \r\n");
      const size_t at = head.find("X-Ticket: ") + 10;
      head.insert(at, std::string(bytes - head.size(), 't'));
      const std::string body = text_of(40'000);
      peer.sends(head.substr(0, 5000));
      world.play(peer, 3);
      peer.sends(head.substr(5000) + body);
      world.play(peer, 200);
      const std::string asked = world.application().arrived();
      CHECK(asked.find("X-Ticket: " + std::string(bytes - head.size() + 1, 't')) != asked.npos);
      CHECK(asked.substr(asked.find("\r\n\r\n") + 4) == body);
      world.application().peer_sends(answer("ok"));
      world.play(peer);
      REQUIRE(peer.responses().size() == 1);
      CHECK(peer.responses()[0].body == "ok");
      const conn::Connection* c = world.find(peer.fd());
      REQUIRE(c != nullptr);
      CHECK(c->input.memory == nullptr);
      CHECK_FALSE(c->input.is_large());
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("a long head of a request for a file, with a body that is discarded, and one behind it") {
  World world(with_heads(limits::kHeadBytesMaxCeiling));
  const std::string content = world.site.write("a", 3000);
  const Peer peer = connect(world, Path::KernelSync);
  const std::string ticket = "X-Ticket: " + std::string(40'000, 't') + "\r\n";
  peer.sends(Peer::request("GET", "/a", ticket + "Content-Length: 30000\r\n") +
             std::string(30'000, 'b') + Peer::request("GET", "/a", ticket));
  world.pump(peer, 400);
  const auto responses = peer.responses();
  REQUIRE(responses.size() == 2);
  for (const Response& response : responses) CHECK(response.body == content);
  CHECK(world.settle_accounts() == "");
}
