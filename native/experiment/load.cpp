// SPDX-License-Identifier: Apache-2.0
// See load.hpp.
#include "experiment/load.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "os/cpu_time.hpp"
#include "os/fd.hpp"
#include "tls/client.hpp"

namespace spliced::experiment {
namespace {

constexpr uint32_t kWarmUpMsMax = 15'000;  // handshakes on a slow core
constexpr int kPollMs = 100;
constexpr int kReadsMax = 64;  // in a row, before the next connection has its turn
constexpr size_t kHeadBytesMax = 4096;

struct Visit {
  os::Fd socket;
  std::unique_ptr<tls::Client> tls;
  bool asked = false, wants_write = false;
  std::string head;
  uint64_t body_left = 0;
  uint64_t responses = 0;
  uint64_t body_bytes = 0;
};

bool open_visit(uint16_t port, const tls::ClientContext& context, Visit& visit) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  visit.socket.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int fd = visit.socket.get();
  if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
    return false;
  visit.tls = tls::Client::start(context, fd);
  return visit.tls != nullptr;
}

bool ask(const std::string& request, Visit& visit) {
  visit.asked = true;
  visit.head.clear();
  return visit.tls->write(request.data(), request.size());
}

// Counts the received bytes. False: they are not the answer that the plan expects.
bool take(const LoadPlan& plan, const char* data, size_t bytes, Visit& visit) {
  if (visit.body_left == 0) {
    visit.head.append(data, bytes);
    const size_t end = visit.head.find("\r\n\r\n");
    if (end == std::string::npos) return visit.head.size() <= kHeadBytesMax;
    if (visit.head.compare(0, 13, "HTTP/1.1 200 ") != 0) return false;
    bytes = visit.head.size() - end - 4;
    visit.body_left = plan.body_bytes;
  }
  if (bytes > visit.body_left) return false;
  visit.body_bytes += bytes;
  visit.body_left -= bytes;
  return true;
}

bool step(const LoadPlan& plan, const std::string& request, Visit& visit) {
  if (!visit.asked) {
    const tls::Handshake state = visit.tls->handshake();
    visit.wants_write = state == tls::Handshake::NeedWrite;
    if (state == tls::Handshake::Failed) return false;
    return state != tls::Handshake::Done || ask(request, visit);
  }
  char buffer[limits::kRecordPlaintextBytes];
  for (int i = 0; i < kReadsMax; ++i) {
    const os::Received received = visit.tls->read(buffer, sizeof buffer);
    if (received.io == os::Io::WouldBlock) return true;
    if (received.io != os::Io::Done) return false;
    if (!take(plan, buffer, received.bytes, visit)) return false;
    const bool complete = visit.body_left == 0 && visit.head.find("\r\n\r\n") != std::string::npos;
    if (!complete) continue;
    visit.responses++;
    if (!ask(request, visit)) return false;
  }
  return true;
}

struct Count {
  uint64_t responses = 0, body_bytes = 0;
};

Count count(const std::vector<Visit>& visits) {
  Count sum;
  for (const Visit& visit : visits) {
    sum.responses += visit.responses;
    sum.body_bytes += visit.body_bytes;
  }
  return sum;
}

// Serves every connection until `done()`. False: one of them failed.
template <typename Done>
bool turn_until(const LoadPlan& plan, const std::string& request, std::vector<Visit>& visits,
                Done done) {
  std::vector<pollfd> polls(visits.size());
  while (!done()) {
    for (size_t i = 0; i < visits.size(); ++i)
      polls[i] = {visits[i].socket.get(),
                  static_cast<short>(visits[i].wants_write ? POLLOUT : POLLIN), 0};
    ::poll(polls.data(), polls.size(), kPollMs);
    for (size_t i = 0; i < visits.size(); ++i)
      if (polls[i].revents != 0 && !step(plan, request, visits[i])) return false;
  }
  return true;
}

}  // namespace

bool measure_load(const LoadPlan& plan, LoadFigures& figures, std::string& error) {
  const tls::ClientContext context;
  const std::string request = "GET " + plan.path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  std::vector<Visit> visits(plan.connections);
  for (Visit& visit : visits) {
    if (open_visit(plan.port, context, visit) && step(plan, request, visit)) continue;
    error = "a connection over loopback failed";
    return false;
  }
  const uint64_t opened_ms = base::now_ms();
  const bool warm = turn_until(plan, request, visits, [&] {
    return base::now_ms() - opened_ms > kWarmUpMsMax ||
           std::all_of(visits.begin(), visits.end(),
                       [](const Visit& v) { return v.responses > 0; });
  });
  if (!warm || base::now_ms() - opened_ms > kWarmUpMsMax) {
    error = warm ? "no answer within 15 s" : "a connection ended, or the answer was not the file";
    return false;
  }
  const Count before = count(visits);
  const os::CpuTime cpu_before = os::cpu_time();
  const uint64_t began_ms = base::now_ms();
  const bool whole = turn_until(plan, request, visits,
                                [&] { return base::now_ms() - began_ms >= plan.duration_ms; });
  const os::CpuTime cpu = os::cpu_time();
  const Count after = count(visits);
  figures.responses = after.responses - before.responses;
  figures.body_bytes = after.body_bytes - before.body_bytes;
  figures.duration_ms = base::now_ms() - began_ms;
  figures.client_us = cpu.thread_us - cpu_before.thread_us;
  const uint64_t process_us = cpu.process_us - cpu_before.process_us;
  const uint64_t system_us = cpu.system_us - cpu_before.system_us;
  figures.process_us = process_us - std::min(process_us, figures.client_us);
  figures.system_us = system_us - std::min(system_us, figures.client_us);
  if (!whole) error = "a connection ended, or the answer was not the file";
  return whole;
}

}  // namespace spliced::experiment
