// SPDX-License-Identifier: Apache-2.0
// The downloading side of the guest tests: many concurrent HTTPS connections in one thread, each
// with a reading behaviour of its own, over user-space TLS. test/guest/inside/ writes its plan and
// reads its results. It knows nothing of the server, but reads the served directory to know each
// body.
//
//   client --port PORT --root DIR [--concurrency N] [--deadline-s S]  <plan  >results
//
// A line of the plan is one connection:
//   ID TLS(1.2|1.3) CIPHER(aes128|aes256|chacha20|any) PROFILE CLOSE(close|keep|pipeline) RCVBUF
//   PATH...
// PROFILE: fast | slow:BYTES_PER_S | resume:MS (stalls once, then reads on) | stall:MS (stops
// reading until reset or for MS, then reads what there is) | early (closes in the middle of each
// last body) | gate:BYTES_PER_S (in the middle it prints {"gate":"ID"} and stops reading until SIGUSR1,
// then reads on slowly). close: the last request says Connection: close. RCVBUF: bytes for SO_RCVBUF, 0 for
// the default. A line of the results is one download, as JSON. Outcomes: complete, truncated,
// corrupt, failed (no TLS connection, or it ended before this request), closed_by_us,
// reset_after_stall, timeout.
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <deque>
#include <iostream>
#include <memory>

#include "connection.hpp"
#include "plan.hpp"

namespace {

using Connections = std::vector<std::unique_ptr<Connection>>;

void poll_once(Connections& active) {
  std::vector<struct pollfd> fds;
  int64_t wake_ms = now_ms() + 1000;
  for (const auto& connection : active) {
    fds.push_back(connection->poll_fd());
    if (connection->sleeping()) wake_ms = std::min(wake_ms, connection->wake_at_ms());
    if (connection->has_more()) wake_ms = 0;
  }
  const int wait_ms = static_cast<int>(std::max<int64_t>(0, wake_ms - now_ms()));
  if (poll(fds.data(), fds.size(), wait_ms) < 0 && errno != EINTR) exit(2);
  for (size_t i = 0; i < active.size(); ++i) {
    const bool woken = fds[i].events == 0 && !active[i]->sleeping();
    if (fds[i].revents != 0 || woken || active[i]->has_more()) active[i]->step(fds[i].revents);
  }
  active.erase(std::remove_if(active.begin(), active.end(),
                              [](const auto& connection) { return connection->done(); }),
               active.end());
  fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> options = {{"--concurrency", "64"}, {"--deadline-s", "120"}};
  for (int i = 1; i + 1 < argc; i += 2) options[argv[i]] = argv[i + 1];
  if (argc % 2 == 0 || !options.count("--port") || !options.count("--root")) {
    fprintf(stderr,
            "usage: client --port PORT --root DIR [--concurrency N] [--deadline-s S] <plan\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  signal(SIGUSR1, [](int) { gate_is_open = 1; });
  struct sockaddr_in server = {};
  server.sin_family = AF_INET;
  server.sin_port = htons(static_cast<uint16_t>(std::stoi(options["--port"])));
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const size_t concurrency = std::stoul(options["--concurrency"]);
  const int64_t deadline_ms = now_ms() + std::stoll(options["--deadline-s"]) * 1000;
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
  Bodies bodies(options["--root"]);

  std::deque<Plan> plans;
  for (std::string line; std::getline(std::cin, line);) {
    if (line.empty()) continue;
    Plan plan;
    if (!Plan::parse(line, &plan)) {
      fprintf(stderr, "client: cannot understand this line of the plan: %s\n", line.c_str());
      return 2;
    }
    for (const std::string& path : plan.paths) bodies.of(path);
    plans.push_back(plan);
  }
  Connections active;
  while (!plans.empty() || !active.empty()) {
    while (!plans.empty() && active.size() < concurrency) {
      active.push_back(std::make_unique<Connection>(plans.front(), context, server, &bodies));
      plans.pop_front();
    }
    if (now_ms() > deadline_ms) {
      for (const auto& connection : active) connection->time_out();
      for (const Plan& plan : plans)
        fprintf(stderr, "client: never started: %s\n", plan.id.c_str());
      return 1;
    }
    poll_once(active);
  }
  SSL_CTX_free(context);
  return 0;
}
