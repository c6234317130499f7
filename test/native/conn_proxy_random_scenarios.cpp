// SPDX-License-Identifier: Apache-2.0
// Seeded scenarios: clients and applications that do anything at any time, over a proxy route. What
// has to hold is asked by World::settle_accounts and by the assertions of the product.
#include <errno.h>

#include <algorithm>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "fakes/moods.hpp"
#include "fakes/proxied.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::State;

namespace {

constexpr int kSeeds = 400;

class Chaos {
 public:
  explicit Chaos(uint64_t seed) : random_(seed) {
    world_.ring->hold_cancels = random_.one_in(2);
    world_.ring->sends_at_once = random_.one_in(4);
  }

  std::string run() {
    for (uint64_t steps = 50 + random_.below(300); steps > 0; steps--) step();
    if (random_.one_in(2)) conn::begin_stop(*world_.services);
    for (int i = 0; i < 40; i++) step();
    return world_.settle_accounts();
  }

 private:
  void connect_client() {
    if (peers_.size() >= 6) return;
    peers_.push_back(world_.connect([&](Socket& socket, TlsScript& script) {
      socket.send_buffer_bytes = 1000 + random_.below(100'000);
      socket.asynchronous_cipher = random_.one_in(2);
      if (random_.one_in(3)) socket.take_at_most = 1 + random_.below(40'000);
      if (random_.one_in(3)) script.outcome = tls::Promotion::Outcome::UserSpace;
    }));
  }

  std::string request() {
    switch (random_.below(6)) {
      case 0:
        return Peer::request("POST", "/", "Content-Length: 70000\r\n") +
               std::string(random_.below(70'001), 'u');
      case 1:
        return Peer::request("PUT", "/", "Transfer-Encoding: chunked\r\n") +
               (random_.one_in(3) ? "5\r\nhel" : "5\r\nhello\r\n0\r\n\r\n");
      case 2:
        return Peer::request("GET", "/ws", "Upgrade: websocket\r\nConnection: Upgrade\r\n");
      case 3:
        return Peer::request("HEAD", "/", "");
      default:
        return Peer::request("GET", "/", random_.one_in(9) ? "Connection: close\r\n" : "");
    }
  }

  void client_does(const Peer& peer) {
    Socket& socket = peer.socket();
    if (socket.closed()) return;
    switch (random_.below(14)) {
      case 0:
        if (random_.one_in(4)) socket.peer_resets();
        break;
      case 1:
        if (random_.one_in(4)) peer.says_goodbye();
        break;
      case 2:
        if (random_.one_in(4)) socket.peer_half_closes();
        break;
      case 3:
        if (random_.one_in(8)) peer.handshake_message(24);
        break;
      case 4:
        peer.sends(std::string(1 + random_.below(30'000), 'u'));
        break;
      case 5:
      case 6:
      case 7:
        peer.sends(request());
        break;
      case 8:
        socket.cipher_completes_all();
        break;
      default:
        socket.cipher_completes_all();
        socket.peer_takes(1 + random_.below(100'000));
    }
  }

  std::string speech() {
    const std::string ok = "HTTP/1.1 200 OK\r\n";
    switch (random_.below(12)) {
      case 0:
        return ok + "Content-Length: 5\r\n\r\nhello";
      case 1:
        return ok + "Content-Length: 100000\r\n\r\n";
      case 2:
        return ok + "Transfer-Encoding: chunked\r\n\r\n4000\r\n";
      case 3:
        return ok +
               "Transfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n2\r\nab\r\n";
      case 4:
        return ok + "\r\n";
      case 5:
        return "HTTP/1.1 100 Continue\r\n\r\n";
      case 6:
        return "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Accept: a\r\n\r\n\x81\x02hi";
      case 7:
        return "HTTP/1.1 304 Not Modified\r\n\r\n";
      case 8:
        return "nonsense\r\n";
      case 9:
        return "\r\n0\r\n\r\n";
      default:
        return std::string(1 + random_.below(50'000), 'd');
    }
  }

  void application_does() {
    auto& backend = kernel().backend;
    if (random_.one_in(20)) {
      const os::Moved ways[] = {
          {}, {}, {os::Io::WouldBlock, 0, 0}, {os::Io::Failed, 0, ECONNREFUSED}};
      backend.connects = ways[random_.below(4)];
    }
    backend.out_of_descriptors = random_.one_in(30);
    let_application_move(random_, [this] { return speech(); });
  }

  void step() {
    if (random_.one_in(12)) connect_client();
    if (!peers_.empty()) client_does(peers_[random_.below(peers_.size())]);
    application_does();
    let_turn_pass(random_, world_);
  }

  Random random_;
  Proxied world_;
  std::vector<Peer> peers_;
};

}  // namespace

TEST_CASE("whatever clients and applications do, every account is square in the end") {
  for (uint64_t seed = 1; seed <= kSeeds; seed++) {
    CAPTURE(seed);
    Chaos chaos(seed);
    const std::string faults = chaos.run();
    CHECK(faults == "");
    if (!faults.empty()) break;
  }
}
