// SPDX-License-Identifier: Apache-2.0
// A whole data plane without network, OpenSSL or threads: the product's conn/, files/ and http/
// over the fakes, a directory of files, and a clock that the test moves. The checks that hold for
// every connection, in whatever test, are in `settle_accounts`.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "conn/dispatch.hpp"
#include "fakes/fake_kernel.hpp"
#include "fakes/fake_ring.hpp"
#include "fakes/fake_tls.hpp"
#include "fakes/peer.hpp"
#include "fakes/site.hpp"

namespace spliced::fakes {

class World {
 public:
  explicit World(conn::Options options = small_options());
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  static conn::Options small_options();  // few slots, short deadlines, a window of 64 KiB

  // A connection that the product has accepted and whose handshake has not begun. `prepare` may
  // write scripts.
  template <class Prepare>
  Peer connect(Prepare prepare) {
    const int fd = kernel().open_socket();
    prepare(kernel().at(fd), tls_script(fd));
    return admit(fd);
  }
  Peer connect() {
    return connect([](Socket&, TlsScript&) {});
  }

  // Sets other routes over the same directory; empty: one route for all files.
  void serve(std::vector<http::Route> routes, const std::string& build = "");

  // One turn of the engine's loop: all queued completions, then yielded connections, ticks,
  // deadlines.
  void turn();
  void turns(int count = 50);  // until nothing is queued or has yielded; at most `count`
  void advance(uint64_t ms);   // in steps of a tick, with a turn each
  void deliver_one();          // a single completion
  // Runs turns, cipher and network until the connection is closed or nothing moves.
  void run_to_end(const Peer& peer, size_t bytes_a_turn = SIZE_MAX);
  void pump(const Peer& peer, int count = 50);

  conn::State state(const Peer& peer) const;  // Free once it is closed
  const conn::Connection* find(int fd) const;
  conn::Ending ending(const Peer& peer) const;  // of a closed connection
  bool all_free() const;
  // Empty if all accounts balance: no slot, pipe, buffer or descriptor is missing, the figures add
  // up, and no fake saw a violation. With `abort` it first ends the world's connections.
  std::string settle_accounts(bool abort = true);

  Site site;
  conn::Figures figures;
  tls::KernelSupport support;
  os::Closer closer;
  std::unique_ptr<conn::Occupancy> occupancy;
  std::shared_ptr<conn::Occupancy::Share> share;
  std::unique_ptr<FakeRing> ring;
  std::unique_ptr<conn::Services> services;
  std::string status_page = "{}";

 private:
  Peer admit(int fd);
  void on_handover(int fd);
  void check_figures(std::string& faults) const;

  size_t descriptors_before_ = 0;
  std::map<int, conn::Ending> endings_;
};

size_t open_descriptors();

}  // namespace spliced::fakes
