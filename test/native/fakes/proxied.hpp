// SPDX-License-Identifier: Apache-2.0
// A world with one proxy route, and the application behind it.
#pragma once
#include <string>
#include <utility>

#include "doctest/doctest.h"
#include "fakes/ask.hpp"

namespace spliced::fakes {

inline http::Route proxy_route() {
  http::Route route;
  route.action = http::Action::Proxy;
  route.methods = http::kProxied;
  route.upstream = "unix:/app.sock";
  route.connect_timeout_ms = 1000;
  route.response_timeout_ms = 3000;
  route.stream_timeout_ms = 60'000;
  return route;
}

class Proxied : public World {
 public:
  Proxied() { serve({proxy_route()}); }

  // The application's end of the latest connection.
  Socket& application() { return kernel().at(kernel().backend.sockets.back()); }
  size_t connections() const { return kernel().backend.sockets.size(); }
  uint64_t failures(conn::UpstreamFailure failure) const {
    return figures.upstream_failures[static_cast<size_t>(failure)].get();
  }

  // Runs turns until nothing moves any more; the application reads what arrives.
  void play(const Peer& peer, int count = 60) {
    for (int i = 0; i < count; i++) {
      pump(peer, 1);
      if (connections() > 0 && !application().closed()) application().peer_takes();
    }
  }

  std::string asked() { return application().arrived(); }
};

inline std::string answer(const std::string& body, const std::string& fields = "") {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + fields +
         "\r\n" + body;
}

// A client whose first request is answered; the connection to the application stays, and is idle.
inline Peer leave_idle_connection(Proxied& world) {
  const Peer peer = connect(world, Path::KernelSync);
  peer.get("/");
  world.play(peer);
  world.application().peer_sends(answer("first"));
  world.play(peer);
  REQUIRE(world.figures.upstreams_idle.get() == 1);
  return peer;
}

inline std::string text_of(size_t bytes) {
  std::string text;
  for (size_t i = 0; text.size() < bytes; i++) text += std::to_string(i) + " ";
  text.resize(bytes);
  return text;
}

// The content of a chunked body, and whether it is complete.
inline std::pair<std::string, bool> dechunk(const std::string& body) {
  http::BodyReader reader = http::BodyReader::of_chunks();
  std::string content;
  size_t at = 0;
  while (at < body.size() && !reader.done()) {
    const http::BodyReader::Piece piece = reader.next(std::string_view(body).substr(at));
    if (piece.result.verdict == http::BodyReader::Verdict::Bad) return {content, false};
    content += piece.content;
    at += piece.result.consumed;
  }
  return {content, reader.done() && at == body.size()};
}

inline std::string body_of(const Peer& peer) {
  const std::string all = peer.arrived().plaintext;
  return all.substr(all.find("\r\n\r\n") + 4);
}

}  // namespace spliced::fakes
