// SPDX-License-Identifier: Apache-2.0
// A whole engine::Service over loopback, for tests that are its clients.
#pragma once
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/service.hpp"
#include "fakes/certificate.hpp"

namespace spliced::fakes {

inline constexpr uint32_t kPatienceMs = 60'000;

// Collects the engines' events, as the Node thread would.
class Events {
 public:
  void push(const engine::Event& event) {
    std::lock_guard<std::mutex> lock(mutex_);
    all_.push_back(event);
    changed_.notify_all();
  }
  bool wait(engine::Event::Type type, size_t times = 1) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, std::chrono::milliseconds(kPatienceMs),
                             [&] { return count(type) >= times; });
  }
  std::vector<engine::Event> of(engine::Event::Type type) {
    std::lock_guard<std::mutex> lock(mutex_);
    std::vector<engine::Event> some;
    for (const engine::Event& event : all_)
      if (event.type == type) some.push_back(event);
    return some;
  }

 private:
  size_t count(engine::Event::Type type) const {
    size_t times = 0;
    for (const engine::Event& event : all_) times += event.type == type ? 1 : 0;
    return times;
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<engine::Event> all_;
};

struct Running {
  explicit Running(size_t engines, ring::Backend ring = ring::Backend::Auto,
                   std::vector<tls::CertificatePem> certificates = {}) {
    static const tls::CertificatePem certificate = new_certificate();
    engine::Options options;
    options.site.root = "/";
    options.listeners = {{"127.0.0.1", 0}};
    options.certificates = certificates.empty() ? std::vector{certificate} : certificates;
    options.engines = engines;
    options.ring = ring;
    options.connections.connections_per_address_max = 200;
    engine::Failure failure;
    service = engine::Service::create(options, failure);
    REQUIRE_MESSAGE(service, failure.message);
    port = service->listeners().bound().front().port;
  }
  void start() {
    engine::Failure failure;
    REQUIRE(service->start([this](const engine::Event& event) { events.push(event); }, failure));
    REQUIRE(events.wait(engine::Event::Type::Started));
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
  static bool until(Condition condition) {
    for (uint32_t ms = 0; ms < kPatienceMs && !condition(); ms++) ::usleep(1'000);
    return condition();
  }

  Events events;
  std::unique_ptr<engine::Service> service;
  uint16_t port = 0;
};

}  // namespace spliced::fakes
