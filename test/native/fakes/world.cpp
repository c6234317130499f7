// SPDX-License-Identifier: Apache-2.0
// See world.hpp.
#include "fakes/world.hpp"

#include <dirent.h>
#include <fcntl.h>

#include "base/clock.hpp"

namespace spliced::fakes {

using conn::State;

size_t open_descriptors() {
  size_t count = 0;
  DIR* directory = ::opendir("/proc/self/fd");
  while (::readdir(directory) != nullptr) count++;
  ::closedir(directory);
  return count;
}

conn::Options World::small_options() {
  conn::Options options;
  options.connections_max = 4;
  options.pending_window_bytes = limits::kPendingWindowBytesMin;
  options.handshake_timeout_ms = 1000;
  options.head_timeout_ms = 1500;
  options.idle_timeout_ms = 5000;
  options.stall_timeout_ms = 2000;
  options.drain_timeout_ms = 20'000;
  options.linger_timeout_ms = 500;
  options.send_rate_min_bytes_per_s = 0;  // one byte is enough
  return options;
}

World::World(conn::Options options) {
  new_kernel();
  forget_tls_scripts();
  descriptors_before_ = open_descriptors();
  ring = std::make_unique<FakeRing>(kernel());
  kernel().on_handover = [this](int fd) { on_handover(fd); };
  support.splices_received = true;
  occupancy = std::make_unique<conn::Occupancy>(options, 1);
  share = std::make_shared<conn::Occupancy::Share>();
  occupancy->take_part(0, share, closer);
  services = std::make_unique<conn::Services>(options, *ring, closer, figures, support, *occupancy,
                                              *share);
  serve({});
  services->status_json = [this] { return status_page; };
  services->now_ms = 1'000'000;
  // An hour ahead: a file that was changed within the last seconds is treated with caution.
  services->wall_s = base::wall_s() + 3600;
}

void World::serve(std::vector<http::Route> routes, const std::string& build) {
  auto served = std::make_shared<conn::Site>();
  os::Fd root(::fcntl(site.root(), F_DUPFD_CLOEXEC, 3));
  served->directories.push_back(std::move(root));
  served->build = build;
  if (routes.empty()) {
    routes.emplace_back();
    routes.back().index = "index.html";
  }
  for (const http::Route& route : routes) {
    http::Routes& whose = http::is_reserved(route.prefix) ? served->own : served->routes;
    if (const char* fault = whose.add(route)) kernel().violations.add(fault);
  }
  services->site = std::make_shared<conn::OpenSite>(std::move(served), figures.files);
}

World::~World() = default;

Peer World::admit(int fd) {
  occupancy->assign(0, services->now_ms);
  conn::admit(*services, {fd});
  return Peer(fd);
}

void World::on_handover(int fd) {
  const conn::Connection* c = find(fd);
  if (c == nullptr) return;  // shed
  endings_[fd] = c->closing.ending;
  if (c->ops.inflight != 0)
    kernel().violations.add("a socket was closed with operations in flight");
  const Socket& socket = kernel().at(fd);
  if (c->closing.ending != conn::Ending::Drained) return;
  if (socket.lost_in_tls() > 0 || (socket.pending_in_tls() > 0 && !socket.peer_left()))
    kernel().violations.add("counted as drained, but the TLS layer lost bytes");
  if (!socket.peer_left() && socket.severed() && socket.unacknowledged() > 0)
    kernel().violations.add("counted as drained, but reset before the peer had everything");
  if (c->request.pipe_bytes > 0 || c->request.body_remaining > 0 || !c->output.empty())
    kernel().violations.add("counted as drained in the middle of a response");
}

void World::deliver_one() {
  ring::Completion completion;
  if (ring->take(completion)) conn::on_completion(*services, completion);
}

void World::turn() {
  services->turn++;
  for (const auto& files : services->site->files) files->begin_turn();
  for (size_t left = ring->queued(); left > 0; left--) deliver_one();
  conn::run_ready(*services);
  conn::run_ticks(*services);
  conn::run_deadlines(*services);
}

void World::turns(int count) {
  do turn();
  while (--count > 0 && (ring->queued() > 0 || !services->ready.empty()));
}

void World::advance(uint64_t ms) {
  for (uint64_t left = ms; left > 0;) {
    const uint64_t step = left < limits::kTickMs ? left : limits::kTickMs;
    services->now_ms += step;
    left -= step;
    turn();
  }
}

void World::pump(const Peer& peer, int count) {
  for (int i = 0; i < count && state(peer) != State::Free; i++) {
    turns();
    if (peer.socket().reset()) break;
    peer.socket().cipher_completes_all();
    peer.socket().peer_takes();
    services->now_ms += limits::kTickMs;
  }
  turns();
}

void World::run_to_end(const Peer& peer, size_t bytes_a_turn) {
  for (int i = 0; i < 20'000 && state(peer) != State::Free; i++) {
    turns();
    if (!peer.socket().closed()) {
      peer.socket().cipher_completes_all();
      peer.socket().peer_takes(bytes_a_turn);
      if (peer.socket().fin_arrived()) peer.socket().peer_half_closes();
    }
    services->now_ms += limits::kTickMs;
  }
  peer.socket().peer_takes();
}

const conn::Connection* World::find(int fd) const {
  for (const conn::Connection& c : services->slots)
    if (c.state != State::Free && c.socket == fd) return &c;
  return nullptr;
}

State World::state(const Peer& peer) const {
  const conn::Connection* c = find(peer.fd());
  return c != nullptr ? c->state : State::Free;
}

conn::Ending World::ending(const Peer& peer) const {
  const auto it = endings_.find(peer.fd());
  return it != endings_.end() ? it->second : conn::Ending::None;
}

bool World::all_free() const {
  return services->slots.all_free() && services->upstreams.slots.all_free();
}

void World::check_figures(std::string& faults) const {
  const auto expect = [&](const char* what, uint64_t is, uint64_t wanted) {
    if (is != wanted)
      faults += std::string(what) + " is " + std::to_string(is) + ", not " +
                std::to_string(wanted) + "\n";
  };
  uint64_t states = 0;
  for (const auto& count : figures.by_state) states += count.get();
  expect("the sum of by_state", states, services->slots.size());
  expect("by_state[free]", figures.by_state[0].get(), services->slots.size());
  expect("open", figures.open.get(), 0);
  uint64_t drained = 0, aborted = 0, gone = 0;
  for (const auto& [fd, ending] : endings_) {
    if (ending == conn::Ending::None) faults += "a connection ended without a verdict\n";
    drained += ending == conn::Ending::Drained ? 1 : 0;
    aborted += ending == conn::Ending::Aborted ? 1 : 0;
    gone += ending == conn::Ending::PeerGone ? 1 : 0;
  }
  expect("drained", figures.drained.get(), drained);
  expect("aborted", figures.aborted.get(), aborted);
  expect("peer_gone", figures.peer_gone.get(), gone);
  expect("pending_bytes", figures.pending_bytes.get(), 0);
  expect("ledgers_stuck", figures.ledgers_stuck.get(), 0);
  expect("upstreams_open", figures.upstreams_open.get(), 0);
  expect("upstreams_idle", figures.upstreams_idle.get(), 0);
  expect("websockets", figures.websockets.get(), 0);
  expect("stale_completions", figures.stale_completions.get(), 0);
  expect("ledger_contradictions", figures.ledger_contradictions.get(), 0);
  expect("operations that the ring still has", ring->outstanding(), 0);
  expect("sockets that were not closed", kernel().open_sockets(), 0);
  expect("TLS sessions that were not freed", live_sessions(), 0);
  expect("traffic secrets that were not wiped", live_secrets(), 0);
}

std::string World::settle_accounts(bool abort) {
  if (abort) conn::abort_all(*services);
  conn::end_idle_upstreams(*services);
  kernel().hold_closes = false;
  ring->hold_file_operations = false;
  for (int i = 0; i < 100 && !all_free(); i++) {
    while (ring->held() > 0) ring->finish();
    ring->release_cancels();
    turn();
  }
  (void)closer.stop(0);
  std::string faults;
  if (!all_free()) faults += "a slot is not free\n";
  check_figures(faults);
  services.reset();
  ring.reset();
  if (open_descriptors() != descriptors_before_)
    faults += std::to_string(open_descriptors()) + " descriptors are open, before it were " +
              std::to_string(descriptors_before_) + "\n";
  return faults + kernel().violations.text();
}

}  // namespace spliced::fakes
