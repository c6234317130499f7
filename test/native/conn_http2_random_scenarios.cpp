// SPDX-License-Identifier: Apache-2.0
// Seeded scenarios over HTTP/2: clients that ask, reset, shut and open windows, send bodies,
// nonsense and goodbyes at any time, over sockets, ciphers, disks and backends of any mood, in any
// order of the ring's completions. Every stream that ended has its whole body, and the accounts are
// square.
#include <errno.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "doctest/doctest.h"
#include "fakes/http2.hpp"
#include "fakes/moods.hpp"
#include "fakes/proxied.hpp"

using namespace spliced;
using namespace spliced::fakes;

namespace {

constexpr int kSeeds = 300;
constexpr const char* kNames[] = {"tiny", "small", "page", "large", "empty", "cut"};
constexpr size_t kBytes[] = {1, 3000, 16384, 150'000, 0, 120'000};
constexpr size_t kCut = 5;  // of them, the one that changes

std::string settings(uint32_t window) {
  return kPreface + frame(4, 0, 0, number(4, 2) + number(window, 4));
}

struct Client {
  Peer peer{-1};
  uint32_t next = 1;
  std::map<uint32_t, size_t> asked;  // by stream, which of the files
};

template <class W>
class Chaos {
 public:
  explicit Chaos(uint64_t seed) : random_(seed) {
    for (size_t i = 0; i < std::size(kNames); i++) world_.site.write(kNames[i], kBytes[i]);
    world_.ring->hold_file_operations = random_.one_in(2);
    world_.ring->hold_cancels = random_.one_in(2);
    world_.ring->sends_at_once = random_.one_in(4);
    kernel().residency = static_cast<Kernel::Residency>(random_.below(4));
    world_.support.sendfile_waits = random_.one_in(2);
    if (random_.one_in(2)) world_.services->asynchronous.set();
  }

  std::string run() {
    for (uint64_t steps = 50 + random_.below(300); steps > 0; steps--) step();
    if (random_.one_in(2)) conn::begin_stop(*world_.services);
    for (int i = 0; i < 40; i++) step();
    for (const Client& client : clients_) check(client);
    world_.ring->hold_file_operations = world_.ring->hold_cancels = false;
    while (world_.ring->held() > 0) world_.ring->finish();
    world_.ring->release_cancels();
    return world_.settle_accounts();
  }

 private:
  static constexpr bool kFiles = !std::is_base_of_v<Proxied, W>;

  void check(const Client& client) {
    const std::map<uint32_t, StreamAnswer> came = stream_answers(client.peer.arrived().plaintext);
    for (const auto& [stream, file] : client.asked) {
      const auto found = came.find(stream);
      if (!kFiles || file == kCut || found == came.end() || !found->second.ended) continue;
      CHECK(found->second.data == Site::content(kNames[file], kBytes[file]));
    }
  }

  void connect() {
    if (clients_.size() >= 4) return;
    Client client;
    client.peer = world_.connect([&](Socket& socket, TlsScript& script) {
      socket.send_buffer_bytes = 1000 + random_.below(100'000);
      socket.asynchronous_cipher = random_.one_in(2);
      script.http2 = true;
      if (random_.one_in(2)) socket.round_trip_us = 2 * limits::kFarRoundTripUs;
      if (random_.one_in(3)) socket.take_at_most = 1 + random_.below(40'000);
      if (random_.one_in(3)) script.outcome = tls::Promotion::Outcome::UserSpace;
    });
    const uint32_t windows[] = {0, 100, 65'535, 1'000'000};
    client.peer.sends(settings(windows[random_.below(4)]));
    if (random_.one_in(2)) client.peer.sends(frame(8, 0, 0, number(10'000'000, 4)));
    clients_.push_back(client);
  }

  void ask(Client& client) {
    const uint32_t stream = client.next;
    const size_t file = random_.below(std::size(kNames));
    const std::string path = std::string("/") + kNames[file];
    client.next += 2;
    if (random_.one_in(5)) {
      client.peer.sends(frame(1, 4, stream, request_fields("POST", path)));
      const size_t bytes = random_.below(16'000);
      client.peer.sends(frame(0, random_.one_in(2) ? 1 : 0, stream, std::string(bytes, 'u')));
      return;
    }
    client.asked[stream] = file;
    client.peer.sends(frame(1, 5, stream, request_fields("GET", path)));
  }

  void client_does(Client& client) {
    Socket& socket = client.peer.socket();
    if (socket.closed()) return;
    const uint32_t stream = 1 + 2 * static_cast<uint32_t>(random_.below(client.next / 2 + 1));
    switch (random_.below(18)) {
      case 0:
        if (random_.one_in(8)) socket.peer_resets();
        break;
      case 1:
        if (random_.one_in(8)) client.peer.says_goodbye();
        break;
      case 2:
        if (random_.one_in(8)) socket.peer_half_closes();
        break;
      case 3:
        if (random_.one_in(20)) client.peer.sends(std::string(1 + random_.below(100), 'x'));
        break;
      case 4:
        if (stream < client.next) client.peer.sends(frame(3, 0, stream, number(8, 4)));
        break;
      case 5:
        client.peer.sends(frame(6, 0, 0, std::string(8, 'p')));
        break;
      case 6:
      case 7:
        client.peer.sends(frame(8, 0, 0, number(1 + random_.below(100'000), 4)));
        break;
      case 8:
      case 9:
        if (stream < client.next)
          client.peer.sends(frame(8, 0, stream, number(1 + random_.below(100'000), 4)));
        break;
      case 10:
        if (random_.one_in(8)) client.peer.sends(frame(7, 0, 0, number(0, 8)));
        break;
      case 11:
      case 12:
      case 13:
        ask(client);
        break;
      case 14:
        socket.cipher_completes_all();
        break;
      default:
        socket.cipher_completes_all();
        socket.peer_takes(1 + random_.below(100'000));
    }
  }

  void application_does() {
    if (kFiles) return;
    const std::string ok = "HTTP/1.1 200 OK\r\n";
    const std::string speech[] = {
        ok + "Content-Length: 5\r\n\r\nhello",
        ok + "Content-Length: 60000\r\n\r\n",
        ok + "Transfer-Encoding: chunked\r\n\r\n4000\r\n",
        ok + "Transfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n2\r\nab\r\n",
        ok + "\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\n\r\n",
        "nonsense\r\n",
        "\r\n0\r\n\r\n",
        std::string(1 + random_.below(50'000), 'd')};
    let_application_move(random_, [&] { return speech[random_.below(std::size(speech))]; });
  }

  // What the disk does, well or not.
  void finish_one() {
    if (world_.ring->held() == 0) return;
    const size_t index = random_.below(world_.ring->held());
    if (random_.one_in(20)) return world_.ring->fail(index, EIO);
    world_.ring->finish(index);
  }

  void step() {
    if (random_.one_in(12)) connect();
    if (!clients_.empty()) client_does(clients_[random_.below(clients_.size())]);
    application_does();
    if (random_.one_in(60)) world_.site.truncate("cut", random_.below(120'000));
    if (random_.one_in(2)) finish_one();
    let_turn_pass(random_, world_);
  }

  Random random_;
  W world_;
  std::vector<Client> clients_;
};

template <class W>
void play() {
  for (uint64_t seed = 1; seed <= kSeeds; seed++) {
    CAPTURE(seed);
    std::string faults;
    {
      Chaos<W> chaos(seed);
      faults = chaos.run();
    }
    REQUIRE(faults == "");
  }
}

}  // namespace

TEST_CASE("HTTP/2, files: anything at any time") {
  play<World>();
}

TEST_CASE("HTTP/2, a backend: anything at any time") {
  play<Proxied>();
}
