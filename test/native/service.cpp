// SPDX-License-Identifier: Apache-2.0
// engine::Service with several engines, over real sockets: what they share while clients come and
// go, engines are replaced, and the stop comes in the middle. Clients are plain TCP: a handshake
// that is begun, or one that fails, takes a client through everything that engines share.
#include "engine/service.hpp"

#include <dirent.h>
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/clock.hpp"
#include "fakes/certificate.hpp"
#include "fakes/running.hpp"

using namespace spliced;
using engine::Event;
using engine::Service;
using fakes::kPatienceMs;
using fakes::new_certificate;
using fakes::Running;

namespace {

size_t open_descriptors() {
  size_t count = 0;
  DIR* all = ::opendir("/proc/self/fd");
  while (::readdir(all) != nullptr) count++;
  ::closedir(all);
  return count;
}

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
