// SPDX-License-Identifier: Apache-2.0
// A seeded simulation: random requests, socket buffers, cipher delays, disks, peers, deadlines and
// stops, in a random order of completions. After every step and at the end the invariants of
// `Simulation::check_step` and `check_connection` hold. A failure prints its seed; run it again
// with
//   build/native-tests/conn_fuzz --seed=N      (or more of them: --seeds=N)
#include <errno.h>
#include <poll.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <ostream>
#include <string>

#include "doctest/doctest.h"
#include "fakes/multipart.hpp"
#include "fakes/planned.hpp"
#include "fakes/random.hpp"
#include "fakes/world.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::Ending;

namespace {

constexpr const char* kFiles[] = {"tiny", "small", "page", "large", "empty", "moved", "cut"};
constexpr size_t kSizes[] = {1, 3000, 16384, 150'000, 0, 40'000, 120'000};

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed), world_(options(random_)) {
    for (size_t i = 0; i < std::size(kFiles); i++) world_.site.write(kFiles[i], kSizes[i]);
    world_.site.write_sibling("small.gz", "small", 2000);
    world_.ring->hold_file_operations = random_.one_in(2);
    world_.ring->hold_cancels = random_.one_in(2);
    world_.ring->sends_at_once = random_.one_in(4);
    if (random_.one_in(2)) world_.services->wall_s -= 3600;
    kernel().residency = static_cast<Kernel::Residency>(random_.below(4));
    world_.support.sendfile_waits = random_.one_in(2);
    if (random_.one_in(2)) world_.services->asynchronous.set();
  }

  // Empty, or what was wrong.
  std::string run() {
    const uint64_t steps = 100 + random_.below(500);
    for (uint64_t i = 0; i < steps; i++) {
      step();
      check_step();
      if (!faults_.empty()) return faults_;
    }
    finish();
    for (const Client& client : clients_) check_connection(client);
    faults_ += world_.settle_accounts(/*abort=*/false);
    return faults_;
  }

 private:
  static conn::Options options(Random& random) {
    conn::Options options = World::small_options();
    options.connections_max = 3;
    options.pending_window_bytes = limits::kPendingWindowBytesMin << random.below(3);
    options.offload_wanted = !random.one_in(10);
    if (random.one_in(3)) options.records_per_key_max = 1 + random.below(20);
    return options;
  }

  Planned plan_one() {
    const size_t file = random_.below(std::size(kFiles));
    const std::string name = kFiles[file], content = Site::content(name, kSizes[file]);
    Planned planned;
    planned.body = content;
    planned.touchable = name == "moved" || name == "cut";
    const std::string fields = random_.one_in(8) ? "Connection: close\r\n" : "";
    switch (random_.below(9)) {
      case 8:
        if (content.size() > 1000 && !planned.touchable) {
          const size_t first = 200 + random_.below(content.size() - 200), last = content.size() - 1;
          planned.bytes = Peer::request(
              "GET", "/" + name, fields + "Range: bytes=" + std::to_string(first) + "-,0-99\r\n");
          planned.status = 206;
          planned.parts = true;
          planned.body =
              part(content, first, last) + part(content, 0, 99) + "--" + kBoundary + "--\r\n";
          break;
        }
        planned.bytes = Peer::request("GET", "/" + name, fields);
        break;
      case 0:
        planned = {Peer::request("GET", "/missing", fields), 404, "404 Not Found\n"};
        break;
      case 1:
        planned.bytes = Peer::request("HEAD", "/" + name, fields);
        planned.head = true;
        planned.body.clear();
        break;
      case 2:
        planned = {Peer::request("PUT", "/" + name, fields), 405, "405 Method Not Allowed\n"};
        break;
      case 3:
        if (content.size() > 10 && !planned.touchable) {
          const size_t first = random_.below(content.size());
          planned.bytes = Peer::request("GET", "/" + name,
                                        fields + "Range: bytes=" + std::to_string(first) + "-\r\n");
          planned.status = 206;
          planned.body = content.substr(first);
          break;
        }
        [[fallthrough]];
      default:
        if (name == "small" && random_.one_in(2)) {
          planned.bytes = Peer::request("GET", "/small", fields + "Accept-Encoding: br, gzip\r\n");
          planned.plain = content;
          planned.body = Site::content("small.gz", 2000);
          break;
        }
        planned.bytes = Peer::request("GET", "/" + name, fields);
    }
    add_body(planned);
    return planned;
  }

  // One request in four has a body, which nobody wants.
  void add_body(Planned& planned) {
    if (!random_.one_in(4)) return;
    std::string fields = "Content-Length: 30\r\n", body(30, 'x');
    if (random_.one_in(2)) {
      fields = "Transfer-Encoding: chunked\r\n";
      body = "a;b=c\r\n0\r\n\r\nGET /\r\n0\r\nd: e\r\n\r\n";
    }
    planned.bytes.insert(planned.bytes.size() - 2, fields);
    planned.bytes += body;
  }

  void connect() {
    Client client;
    client.peer = world_.connect([&](Socket& socket, TlsScript& script) {
      socket.send_buffer_bytes = 1000 + random_.below(100'000);
      socket.asynchronous_cipher = !random_.one_in(3);
      socket.leaves_unpushed = random_.one_in(5);
      socket.takes_new_keys = random_.one_in(2);
      if (random_.one_in(3)) socket.take_at_most = 1 + random_.below(40'000);
      for (uint64_t i = random_.below(3); i > 0; i--)
        script.handshake.push_back(random_.one_in(30) ? tls::Handshake::Failed
                                                      : tls::Handshake::NeedRead);
      script.cipher = random_.below(tls::kCipherSpecs);
      script.transmit_sequence = random_.below(1000);
      if (random_.one_in(4)) script.outcome = tls::Promotion::Outcome::UserSpace;
      if (random_.one_in(40)) script.outcome = tls::Promotion::Outcome::Broken;
    });
    client.alive = !random_.one_in(5);
    for (uint64_t i = random_.below(8); i > 0; i--) {
      client.plan.push_back(plan_one());
      client.unsent += client.plan.back().bytes;
    }
    clients_.push_back(client);
  }

  void client_sends(Client& client) {
    if (client.unsent.empty()) return;
    const size_t bytes = 1 + random_.below(random_.one_in(3) ? 20 : client.unsent.size());
    client.peer.sends(client.unsent.substr(0, bytes));
    client.unsent.erase(0, bytes);
  }

  void network(Client& client) {
    Socket& socket = client.peer.socket();
    switch (random_.below(8)) {
      case 0:
      case 1:
        return client_sends(client);
      case 2:
      case 3:
        if (socket.ciphering() > 0) socket.cipher_completes(random_.below(socket.ciphering()));
        return;
      case 4:
        return socket.cipher_completes_all();
      default:
        socket.peer_takes(1 + random_.below(60'000));
    }
  }

  // What a peer does once in its life. Only where its requests end may a control record follow.
  void misbehave(Client& client) {
    Socket& socket = client.peer.socket();
    switch (random_.below(10)) {
      case 9:
        return client.peer.updates_key(random_.one_in(2));
      case 0:
        return socket.peer_resets();
      case 1:
        return socket.peer_half_closes();
      case 2:
        return client.peer.says_goodbye();
      case 3:
        return socket.peer_breaks(random_.one_in(2) ? EBADMSG : EMSGSIZE);
      case 4:
        return client.peer.handshake_message(static_cast<uint8_t>(random_.one_in(2) ? 1 : 24));
      case 5:
        return client.peer.alert(2, 80);
      case 6:
        return client.peer.sends("");
      case 7:
        return world_.ring->end_watch(client.peer.fd(), random_.one_in(4) ? -ENOMEM : POLLIN);
      default:
        if (random_.one_in(4)) socket.cipher_fails();
    }
  }

  void disk() {
    FakeRing& ring = *world_.ring;
    if (ring.held() > 0) {
      const size_t index = random_.below(ring.held());
      if (random_.one_in(60)) {
        faulty_disk_ = true;
        return ring.fail(index, random_.one_in(2) ? EIO : EMFILE);
      }
      if (ring.held_kind(index) == ring::Kind::FillPipe && random_.one_in(3))
        return ring.finish_short(index, 1 + random_.below(30'000));
      return ring.finish(index);
    }
    // A file system that tells does so for ever; one that cannot never does.
    if (kernel().residency <= Kernel::Residency::Cold)
      kernel().residency =
          random_.one_in(2) ? Kernel::Residency::Resident : Kernel::Residency::Cold;
    kernel().names_resident = random_.one_in(2);
    if (random_.one_in(20)) world_.site.truncate("cut", cut_bytes_ = random_.below(cut_bytes_));
    if (random_.one_in(20)) world_.site.replace("moved", Site::content("moved", 55'555));
  }

  void engine() {
    if (world_.ring->queued() > 1 && random_.one_in(3))
      world_.ring->promote_in_queue(random_.below(world_.ring->queued()));
    switch (random_.below(6)) {
      case 0:
        return world_.turn();
      case 1:
        world_.services->now_ms += random_.below(40);
        return world_.turn();
      case 2:
        return conn::run_ready(*world_.services);
      default:
        return world_.deliver_one();
    }
  }

  void rarely() {
    switch (random_.below(12)) {
      case 0:
        return conn::begin_stop(*world_.services);
      case 1:
        return conn::abort_all(*world_.services);
      case 2:
      case 3:
        world_.services->now_ms += random_.below(6000);
        return world_.turn();
      case 4:
        world_.ring->release_cancels();
        return;
      default:
        if (!clients_.empty()) misbehave(clients_[random_.below(clients_.size())]);
    }
  }

  void step() {
    if (clients_.size() < 4 && (clients_.empty() || random_.one_in(40))) return connect();
    if (random_.one_in(60)) return rarely();
    if (random_.one_in(10)) return disk();
    if (random_.one_in(20)) return world_.ring->release_cancels();
    if (random_.one_in(2)) return engine();
    network(clients_[random_.below(clients_.size())]);
  }

  // Everything comes to its end by itself, whether the peers are there or not.
  void finish() {
    world_.ring->hold_cancels = false;
    world_.ring->hold_file_operations = false;
    const uint64_t longest_ms = 120'000;
    for (uint64_t passed = 0; passed < longest_ms && !world_.all_free(); passed += 50) {
      while (world_.ring->held() > 0) world_.ring->finish();
      world_.ring->release_cancels();
      for (Client& client : clients_) {
        Socket& socket = client.peer.socket();
        socket.cipher_completes_all();
        if (!client.alive) continue;
        client_sends(client);
        socket.peer_takes();
        if (socket.fin_arrived()) socket.peer_half_closes();
      }
      world_.services->now_ms += 50;
      world_.turn();
      check_step();
    }
    if (!world_.all_free()) faults_ += "a connection does not end\n";
  }

  void check_step() {
    faults_ += kernel().violations.text();
    kernel().violations.clear();
    const uint64_t most = world_.services->options.pending_window_bytes + 64 * 29;
    uint64_t states = 0;
    for (const auto& count : world_.figures.by_state) states += count.get();
    if (states != world_.services->slots.size()) faults_ += "the states do not add up\n";
    for (const Client& client : clients_) {
      const Socket& socket = client.peer.socket();
      if (socket.pending_in_tls_max() > most)
        faults_ += std::to_string(socket.pending_in_tls_max()) + " bytes pending in TLS\n";
      if (socket.fin_overtook()) faults_ += "a FIN overtook records\n";
    }
  }

  // A prefix. Bytes that a truncation cut off while they were in the pipe may be zero: the pipe has
  // the page cache's own pages.
  static bool resembles(const std::string& content, const std::string& body) {
    if (body.size() > content.size()) return false;
    for (size_t i = 0; i < body.size(); i++)
      if (body[i] != content[i] && body[i] != 0) return false;
    return true;
  }

  bool as_planned(const Planned& planned, const Response& got) const {
    if (faulty_disk_ && (got.status == 404 || got.status == 503)) return true;
    if (faulty_disk_ && got.whole && !planned.plain.empty() && got.body == planned.plain)
      return true;
    if (got.status != planned.status) return false;
    if (planned.touchable && planned.status == 200)
      return resembles(Site::content(kFiles[5], 60'000), got.body) ||
             resembles(Site::content(kFiles[6], 120'000), got.body);
    if (got.whole && got.body.size() != planned.body.size()) return false;
    if (planned.parts) return with_boundary(planned.body, got.head).rfind(got.body, 0) == 0;
    return planned.body.rfind(got.body, 0) == 0;
  }

  void check_connection(const Client& client) {
    const Socket& socket = client.peer.socket();
    const std::string who = "connection " + std::to_string(client.peer.fd()) + ": ";
    const wire::Decoded sent = wire::decode(socket.accepted_wire());
    std::vector<bool> heads;
    for (const Planned& planned : client.plan) heads.push_back(planned.head);
    const std::vector<Response> responses = parse_responses(sent.plaintext, heads);
    if (responses.size() > client.plan.size()) faults_ += who + "answers that nobody asked for\n";
    bool whole = !sent.broken_off;
    for (size_t i = 0; i < responses.size() && i < client.plan.size(); i++) {
      if (!responses[i].head.empty() && responses[i].status != 0 &&
          !as_planned(client.plan[i], responses[i]))
        faults_ += who + "response " + std::to_string(i) + " is wrong: status " +
                   std::to_string(responses[i].status) + " with " +
                   std::to_string(responses[i].body.size()) + " bytes to " + client.plan[i].bytes;
      whole = whole && responses[i].whole;
      if (!responses[i].whole && i + 1 < responses.size())
        faults_ += who + "a response follows one that is not whole\n";
    }
    bool goodbye = false;
    for (const wire::Record& record : sent.records)
      goodbye =
          goodbye || (record.type == wire::kAlert && record.payload == std::string("\1\0", 2));
    if (goodbye && !whole) faults_ += who + "close_notify behind a response that is not whole\n";
    if (world_.ending(client.peer) != Ending::Drained) return;
    if (!whole) faults_ += who + "drained, but a response is not whole\n";
    if (socket.peer_left() || socket.cipher_failed()) return;  // then without a farewell
    if (!goodbye) faults_ += who + "drained without close_notify\n";
    if (socket.lost_in_tls() + socket.lost_in_tcp() > 0)
      faults_ += who + "drained, but bytes are lost\n";
  }

  Random random_;
  World world_;
  std::vector<Client> clients_;
  bool faulty_disk_ = false;
  size_t cut_bytes_ = 120'000;
  std::string faults_;
};

// --name=N of the command line, which doctest leaves alone.
uint64_t argument(const std::string& name, uint64_t otherwise) {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string line(std::istreambuf_iterator<char>(file), {});
  const size_t at = line.find("--" + name + "=");
  return at == std::string::npos ? otherwise
                                 : std::strtoull(line.c_str() + at + name.size() + 3, nullptr, 10);
}

}  // namespace

TEST_CASE("simulation: whatever happens in whatever order, nothing is lost unseen") {
  const uint64_t one = argument("seed", 0);
  const uint64_t first = one != 0 ? one : 1;
  const uint64_t last = one != 0 ? one : argument("seeds", 3000);
  for (uint64_t seed = first; seed <= last; seed++) {
    CAPTURE(seed);
    const std::string faults = Simulation(seed).run();
    REQUIRE(faults == "");
  }
}
