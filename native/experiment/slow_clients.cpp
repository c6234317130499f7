// SPDX-License-Identifier: Apache-2.0
// See slow_clients.hpp.
#include "experiment/slow_clients.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "os/fd.hpp"
#include "tls/client.hpp"

namespace spliced::experiment {
namespace {

constexpr auto kTick = std::chrono::milliseconds(2);
// Segments over loopback have 64 KiB, and TCP sizes its send buffer by the segment. With Ethernet's
// segments the buffer is as large as towards a real client.
constexpr int kSegmentBytes = 1448;
constexpr char kRequest[] = "GET /body HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

struct Download {
  os::Fd socket;
  std::unique_ptr<tls::Client> tls;
  bool asked = false, in_body = false;
  std::string head;
  uint64_t body_bytes = 0;
  uint64_t began_ms = 0, read_again_ms = 0;
};

enum class Ended : uint8_t { NotYet, ByPeer, Failed };

bool connect_slowly(const Plan& plan, Download& d) {
  const int receive = static_cast<int>(plan.receive_buffer_bytes), segment = kSegmentBytes;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(plan.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  d.socket.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int fd = d.socket.get();
  return fd >= 0 && ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive) == 0 &&
         ::setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment) == 0 &&
         ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
         ::fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

void take(Download& d, const char* data, size_t bytes) {
  if (d.in_body) {
    d.body_bytes += bytes;
    return;
  }
  d.head.append(data, bytes);
  const size_t end = d.head.find("\r\n\r\n");
  if (end == std::string::npos) return;
  d.in_body = true;
  d.body_bytes = d.head.size() - end - 4;
}

Ended ask(Download& d) {
  switch (d.tls->handshake()) {
    case tls::Handshake::Failed:
      return Ended::Failed;
    case tls::Handshake::Done:
      break;
    default:
      return Ended::NotYet;
  }
  if (!d.tls->write(kRequest, sizeof kRequest - 1)) return Ended::Failed;
  d.asked = true;
  d.began_ms = base::now_ms();
  return Ended::NotYet;
}

Ended step(const Plan& plan, Download& d) {
  if (!d.asked) return ask(d);
  char buffer[limits::kRecordPlaintextBytes];
  while (base::now_ms() >= d.read_again_ms) {
    const os::Received received = d.tls->read(buffer, sizeof buffer);
    if (received.io == os::Io::WouldBlock) break;
    if (received.io == os::Io::Eof) return Ended::ByPeer;
    if (received.io == os::Io::Failed) return Ended::Failed;
    take(d, buffer, received.bytes);
    d.read_again_ms = d.began_ms + d.body_bytes * 1000 / plan.bytes_per_s;
  }
  return Ended::NotYet;
}

void count(const Plan& plan, const Download& d, Ended ended, Tally& tally) {
  const uint64_t missing = plan.body_bytes - std::min(plan.body_bytes, d.body_bytes);
  if (ended == Ended::Failed || d.body_bytes > plan.body_bytes) {
    tally.failed++;
  } else if (ended == Ended::NotYet) {
    tally.unfinished++;
  } else if (missing == 0) {
    tally.complete++;
  } else {
    tally.truncated++;
    tally.missing_bytes += missing;
    tally.missing_bytes_max = std::max(tally.missing_bytes_max, missing);
  }
}

}  // namespace

Tally download_slowly(const Plan& plan) {
  Tally tally;
  const tls::ClientContext context;
  const uint64_t began_ms = base::now_ms();
  std::vector<std::unique_ptr<Download>> active;
  uint32_t started = 0;
  while (started < plan.downloads || !active.empty()) {
    if (base::now_ms() - began_ms >= plan.timeout_ms) break;
    while (started < plan.downloads && active.size() < plan.parallel) {
      started++;
      auto d = std::make_unique<Download>();
      const bool connected = connect_slowly(plan, *d);
      if (connected) d->tls = tls::Client::start(context, d->socket.get());
      if (d->tls)
        active.push_back(std::move(d));
      else
        tally.failed++;
    }
    for (auto& d : active) {
      const Ended ended = step(plan, *d);
      if (ended == Ended::NotYet) continue;
      count(plan, *d, ended, tally);
      d.reset();
    }
    active.erase(std::remove(active.begin(), active.end(), nullptr), active.end());
    std::this_thread::sleep_for(kTick);
  }
  for (const auto& d : active) count(plan, *d, Ended::NotYet, tally);
  tally.unfinished += plan.downloads - started;
  tally.duration_ms = base::now_ms() - began_ms;
  return tally;
}

}  // namespace spliced::experiment
