// SPDX-License-Identifier: Apache-2.0
// One connection of the client's plan: connects, asks for its paths, reads as its profile says, and
// writes one line of JSON for each download. main.cpp polls it; it never blocks.
#pragma once
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>

#include <cstdint>
#include <deque>
#include <string>

#include "plan.hpp"

int64_t now_ms();

// Set by SIGUSR1: connections of the profile gate read on.
extern volatile sig_atomic_t gate_is_open;

class Connection {
 public:
  Connection(Plan plan, SSL_CTX* context, const struct sockaddr_in& server, Bodies* bodies);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Does what the socket allows now; `events` is what poll returned for poll_fd().
  void step(short events);
  bool done() const { return current_ >= plan_.paths.size(); }
  bool sleeping() const { return now_ms() < sleep_until_ms_; }
  int64_t wake_at_ms() const { return sleep_until_ms_; }
  // OpenSSL holds bytes that no event of the socket will announce: step without waiting.
  bool has_more() const { return !sleeping() && SSL_pending(ssl_) > 0; }
  // While sleeping only a reset is waited for.
  struct pollfd poll_fd() const {
    return {fd_, static_cast<short>(sleeping() ? 0 : wanted_), 0};
  }
  void time_out() { end_all("timeout", "the client's own deadline"); }

 private:
  void choose_cipher();
  void queue_requests();
  void take_request();
  bool write_requests();
  void read_responses();
  size_t allowance(size_t most);
  size_t slow_allowance(size_t most);
  size_t wait_at_gate();
  void take(const char* data, size_t length);
  bool parse_head(const std::string& head);
  void finish_body();
  void stopped(int result, const char* where);
  void end_all(const std::string& outcome, const std::string& detail);
  void report(const std::string& outcome, const std::string& detail);

  Plan plan_;
  Bodies* bodies_;
  int64_t start_ms_;
  int fd_ = -1;
  SSL* ssl_ = nullptr;
  std::string failure_;  // of connect
  short wanted_ = POLLOUT;
  std::deque<std::string> requests_;  // not yet asked
  std::string unsent_, head_;
  size_t current_ = 0;  // index into the plan's paths
  bool connected_ = false, in_body_ = false, closing_ = false, stalled_ = false,
       at_gate_ = false;
  uint64_t left_ = 0, received_ = 0, consumed_ = 0;
  int64_t sleep_until_ms_ = 0, slow_since_ms_ = 0;
  int64_t last_read_ms_ = 0, gap_ms_max_ = 0;  // between two reads of this download
  Sha256 hash_;
};
