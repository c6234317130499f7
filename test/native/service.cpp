// SPDX-License-Identifier: Apache-2.0
// engine::Service with several engines, over real sockets: what they share while clients come and
// go, engines are replaced, and the stop comes in the middle. Clients are plain TCP: a handshake
// that is begun, or one that fails, takes a client through everything that engines share.
#include "engine/service.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <thread>

#include "base/clock.hpp"
#include "fakes/certificate.hpp"

using namespace spliced;
using engine::Event;
using engine::Service;
using fakes::new_certificate;

namespace {

constexpr uint32_t kPatienceMs = 60'000;

size_t open_descriptors() {
  size_t count = 0;
  DIR* all = ::opendir("/proc/self/fd");
  while (::readdir(all) != nullptr) count++;
  ::closedir(all);
  return count;
}

// What the engines said, as the Node thread would see it.
class Events {
 public:
  void push(const Event& event) {
    std::lock_guard<std::mutex> lock(mutex_);
    all_.push_back(event);
    changed_.notify_all();
  }
  bool wait(Event::Type type, size_t times = 1) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, std::chrono::milliseconds(kPatienceMs),
                             [&] { return count(type) >= times; });
  }
  std::vector<Event> of(Event::Type type) {
    std::lock_guard<std::mutex> lock(mutex_);
    std::vector<Event> some;
    for (const Event& event : all_)
      if (event.type == type) some.push_back(event);
    return some;
  }

 private:
  size_t count(Event::Type type) const {
    size_t times = 0;
    for (const Event& event : all_) times += event.type == type ? 1 : 0;
    return times;
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Event> all_;
};

struct Running {
  explicit Running(size_t engines, ring::Backend ring = ring::Backend::Auto) {
    static const tls::CertificatePem certificate = new_certificate();
    engine::Options options;
    options.site.root = "/";
    options.listeners = {{"127.0.0.1", 0}};
    options.certificates = {certificate};
    options.engines = engines;
    options.ring = ring;
    options.connections.connections_per_address_max = 200;
    engine::Failure failure;
    service = Service::create(options, failure);
    REQUIRE_MESSAGE(service, failure.message);
    port = service->listeners().bound().front().port;
  }
  void start() {
    engine::Failure failure;
    REQUIRE(service->start([this](const Event& event) { events.push(event); }, failure));
    REQUIRE(events.wait(Event::Type::Started));
  }
  os::Fd connect() const {
    os::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      fd.reset();
    return fd;
  }
  uint64_t open() const { return figure(&conn::Figures::open); }
  uint64_t accepted() const { return figure(&conn::Figures::accepted); }
  uint64_t figure(base::Counter conn::Figures::*counter) const {
    uint64_t sum = 0;
    for (size_t i = 0; i < service->engines(); i++)
      sum += (service->engine(i).figures().*counter).get();
    return sum;
  }
  template <class Condition>
  bool until(Condition condition) const {
    for (uint32_t ms = 0; ms < kPatienceMs && !condition(); ms++) ::usleep(1'000);
    return condition();
  }

  Events events;
  std::unique_ptr<Service> service;
  uint16_t port = 0;
};

// Comes and goes, until it is refused for good or told to end.
void visit(const Running& running, const std::atomic<bool>& ends, bool talks) {
  while (!ends) {
    const os::Fd client = running.connect();
    if (!client) return;
    if (talks) (void)!::send(client.get(), "no TLS at all\r\n", 15, MSG_NOSIGNAL);
    char byte;
    if (talks) (void)!::recv(client.get(), &byte, 1, 0);
  }
}

}  // namespace

TEST_CASE("engines share clients while others look, suspend and replace settings, and stop") {
  for (const ring::Backend ring : {ring::Backend::Auto, ring::Backend::Epoll}) {
    Running running(4, ring);
    Service& service = *running.service;
    running.start();
    std::atomic<bool> ends{false};
    std::vector<std::thread> clients;
    for (int i = 0; i < 3; i++) clients.emplace_back([&, i] { visit(running, ends, i % 2 == 0); });
    engine::Failure failure;
    for (int i = 0; i < 20 || running.accepted() < 200; i++) {
      service.ping(static_cast<size_t>(i) % 4);
      CHECK(service.status_json().size() > 100);
      service.suspend_offload(i % 2 == 0, "a test");
      CHECK(service.replace_certificates({new_certificate()}, failure));
      service.expect_canary(static_cast<size_t>(i) % 4, 1, false);
      (void)service.connection_log().take();
      service.connection_log().enable(true);
    }
    service.stop(500);
    CHECK(running.events.wait(Event::Type::Stopped));
    ends = true;
    for (std::thread& client : clients) client.join();
    CHECK(running.open() == 0);
    CHECK(running.events.of(Event::Type::Stopped).size() == 1);
    CHECK(service.close(kPatienceMs));
  }
}

TEST_CASE("an engine that is replaced in the middle of all that is freed, and accounts stay even") {
  Running running(2);
  Service& service = *running.service;
  running.start();
  std::atomic<bool> ends{false};
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; i++) clients.emplace_back([&, i] { visit(running, ends, i % 2 == 0); });
  engine::Failure failure;
  for (size_t round = 1; round <= 6; round++) {
    const size_t index = round % 2;
    const uint32_t former = service.engine(index).id();
    REQUIRE(service.replace_engine(index, failure));
    service.engine(index);
    const uint64_t accepted = running.accepted();
    CHECK(running.until([&] { return running.accepted() > accepted; }));
    (void)service.status_json();
    // Its thread does not hang: it ends when its clients have.
    CHECK(running.events.wait(Event::Type::Released, round));
    service.free_engine(former);
    CHECK(service.replaced() == 0);
  }
  ends = true;
  for (std::thread& client : clients) client.join();
  CHECK(running.until([&] { return running.open() == 0; }));
  CHECK(running.until([&] { return service.occupancy().addresses() == 0; }));
  // Both have none, so both get their part of those that would come now. (Which engine works, or is
  // kept from it by the machine, is left out: the time is none.)
  CHECK(running.until([&] {
    size_t parts[2] = {};
    std::vector<std::shared_ptr<conn::Occupancy::Share>> accounts;
    for (int i = 0; i < 40; i++) {
      const auto assigned = service.occupancy().assign(0, 0);
      parts[assigned.engine]++;
      accounts.push_back(assigned.account);
    }
    for (const auto& account : accounts) service.occupancy().socket_gone(*account);
    return parts[0] >= 19 && parts[1] >= 19;  // two more are no reason to hand one over
  }));
  service.stop(kPatienceMs);
  CHECK(running.events.wait(Event::Type::Stopped));
  CHECK_FALSE(service.replace_engine(0, failure));
  CHECK(std::string(failure.code) == "ESTOPPED");
  CHECK(service.close(kPatienceMs));
}

TEST_CASE("who is handed over after the deadline does not keep an engine from ending") {
  Running running(4);
  running.start();
  std::vector<os::Fd> silent;  // they would have their handshake's time
  for (int i = 0; i < 100; i++) {
    silent.push_back(running.connect());
    if (i == 60) running.service->stop(0);
  }
  CHECK(running.events.wait(Event::Type::Stopped));
  CHECK(running.open() == 0);
  CHECK(running.service->close(kPatienceMs));
}

TEST_CASE("a socket that is handed to an engine after its deadline goes at once") {
  Running running(2);
  running.start();
  const os::Fd client = running.connect();
  REQUIRE(running.until([&] { return running.open() == 1; }));
  // One engine's stop with sockets on their way to it, in one mail and in the next.
  Service& service = *running.service;
  for (int i = 0; i < 50; i++) {
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    const os::Fd other(pair[1]);
    if (i == 10) service.engine(1).stop_by(0);
    if (!service.hand_over(1, {pair[0]})) service.turn_away({pair[0]});
  }
  service.stop(0);
  CHECK(running.events.wait(Event::Type::Stopped));
  CHECK(running.service->close(kPatienceMs));
}

TEST_CASE("sockets for an engine that never served are closed") {
  const size_t before = open_descriptors();
  {
    Running running(2);
    Service& service = *running.service;
    for (int i = 0; i < 5; i++) {
      int pair[2];
      REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
      ::close(pair[1]);
      const auto given = service.occupancy().assign(0, 1);
      CHECK(service.hand_over(1, {pair[0], 0, given.account}));
    }
    CHECK(service.close(kPatienceMs));
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    ::close(pair[1]);
    CHECK_FALSE(service.hand_over(1, {pair[0]}));
    service.turn_away({pair[0]});
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("an engine that cannot serve takes no sockets, and no stop waits for it") {
  Running running(1);
  running.start();
  Service& service = *running.service;
  // Without descriptors its successor has no ring.
  rlimit former{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &former) == 0);
  engine::Failure failure;
  const rlimit none{0, former.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const bool replaced = service.replace_engine(0, failure);
  const bool failed = replaced && running.events.wait(Event::Type::Failed);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &former) == 0);
  REQUIRE(failed);
  CHECK_FALSE(service.hand_over(0, {-1}));
  CHECK(running.events.wait(Event::Type::Released));
  service.free_engine(0);
  // Its part is not asked any more for what its closer has to do.
  const auto share = std::make_shared<conn::Occupancy::Share>();
  CHECK_FALSE(service.occupancy().enter(*share, {0, 1}));
  service.stop(0);
  CHECK(running.events.wait(Event::Type::Stopped));
  CHECK(service.close(kPatienceMs));
}
