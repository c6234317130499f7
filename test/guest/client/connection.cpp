// SPDX-License-Identifier: Apache-2.0
// See connection.hpp.
#include "connection.hpp"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

namespace {
constexpr uint64_t kSmallBodyBytes = 100'000;
}

volatile sig_atomic_t gate_is_open = 0;

int64_t now_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

Connection::Connection(Plan plan, SSL_CTX* context, const struct sockaddr_in& server,
                       Bodies* bodies)
    : plan_(std::move(plan)), bodies_(bodies), start_ms_(now_ms()) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int one = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (plan_.receive_buffer_bytes > 0)
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &plan_.receive_buffer_bytes, sizeof(int));
  if (connect(fd_, reinterpret_cast<const struct sockaddr*>(&server), sizeof server) != 0 &&
      errno != EINPROGRESS)
    failure_ = std::string("connect: ") + strerror(errno);
  ssl_ = SSL_new(context);
  const int version = plan_.tls == "1.2" ? TLS1_2_VERSION : TLS1_3_VERSION;
  SSL_set_min_proto_version(ssl_, version);
  SSL_set_max_proto_version(ssl_, version);
  choose_cipher();
  SSL_set_fd(ssl_, fd_);
  SSL_set_connect_state(ssl_);
  queue_requests();
}

Connection::~Connection() {
  SSL_free(ssl_);
  close(fd_);
}

void Connection::choose_cipher() {
  struct Suite {
    const char *name, *tls13, *tls12;
  };
  static constexpr Suite kSuites[] = {
      {"aes128", "TLS_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
      {"aes256", "TLS_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
      {"chacha20", "TLS_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"}};
  for (const Suite& suite : kSuites) {
    if (plan_.cipher != suite.name) continue;
    SSL_set_ciphersuites(ssl_, suite.tls13);
    SSL_set_cipher_list(ssl_, suite.tls12);
  }
}

void Connection::queue_requests() {
  for (size_t i = 0; i < plan_.paths.size(); ++i) {
    std::string request = "GET " + plan_.paths[i] + " HTTP/1.1\r\nHost: localhost\r\n";
    if (plan_.mode == "close" && i + 1 == plan_.paths.size()) request += "Connection: close\r\n";
    requests_.push_back(request + "\r\n");
  }
  take_request();
  while (plan_.mode == "pipeline" && !requests_.empty()) take_request();
}

void Connection::take_request() {
  if (requests_.empty()) return;
  unsent_ += requests_.front();
  requests_.pop_front();
}

void Connection::step(short events) {
  if (!failure_.empty()) return end_all("failed", failure_);
  if (sleeping()) {
    if (!(events & (POLLERR | POLLHUP))) return;
    sleep_until_ms_ = 0;  // a stalled reader learns of the reset
  }
  wanted_ = POLLIN;
  if (!connected_) {
    const int result = SSL_do_handshake(ssl_);
    if (result <= 0) return stopped(result, "handshake");
    connected_ = true;
    last_read_ms_ = now_ms();
  }
  if (write_requests()) read_responses();
}

bool Connection::write_requests() {
  while (!unsent_.empty()) {
    const int sent = SSL_write(ssl_, unsent_.data(), static_cast<int>(unsent_.size()));
    if (sent <= 0) {
      stopped(sent, "write");
      return false;
    }
    unsent_.erase(0, sent);
  }
  return true;
}

void Connection::read_responses() {
  char buffer[16384];
  for (int turn = 0; turn < 16; ++turn) {
    const size_t allowed = allowance(sizeof buffer);
    if (allowed == 0) return;
    const int got = SSL_read(ssl_, buffer, static_cast<int>(allowed));
    if (got <= 0) return stopped(got, "read");
    consumed_ += got;
    gap_ms_max_ = std::max(gap_ms_max_, now_ms() - last_read_ms_);
    last_read_ms_ = now_ms();
    take(buffer, got);
    if (done() || !write_requests()) return;
  }
}

// How many bytes the profile lets us read now. 0: not now (sleep_until_ms_ is set), or not any
// more.
size_t Connection::allowance(size_t most) {
  const uint64_t bytes = bodies_->of(plan_.paths[0]).bytes;
  const uint64_t threshold = std::min<uint64_t>(bytes / 4, 200'000);
  switch (plan_.profile) {
    case Profile::kFast:
      return most;
    case Profile::kSlow:
      return slow_allowance(most);
    case Profile::kResume:
    case Profile::kStall:
      // A small body stalls before its first byte is read: OpenSSL takes whole records.
      if (stalled_ || (bytes > kSmallBodyBytes && consumed_ < threshold)) return most;
      stalled_ = true;
      sleep_until_ms_ = now_ms() + plan_.parameter;
      return 0;
    case Profile::kEarly:
      if (consumed_ < threshold) return most;
      end_all("closed_by_us", "");
      return 0;
    case Profile::kGate:
      if (consumed_ < threshold) return most;
      return gate_is_open ? slow_allowance(most) : wait_at_gate();
  }
  return most;
}

size_t Connection::wait_at_gate() {
  if (!at_gate_) printf("{\"gate\":\"%s\"}\n", plan_.id.c_str());
  at_gate_ = true;
  sleep_until_ms_ = now_ms() + 20;
  return 0;
}

size_t Connection::slow_allowance(size_t most) {
  if (slow_since_ms_ == 0) slow_since_ms_ = now_ms();
  const int64_t due = (now_ms() - slow_since_ms_ + 5) * plan_.parameter / 1000;
  const int64_t early = due - static_cast<int64_t>(consumed_);
  if (early > 0) return std::min<size_t>(most, early);
  sleep_until_ms_ = now_ms() + 5;
  return 0;
}

void Connection::take(const char* data, size_t length) {
  while (length > 0 && !done()) {
    if (closing_) return end_all("corrupt", "bytes after the body");
    if (!in_body_) {
      head_.append(data, length);
      const size_t end = head_.find("\r\n\r\n");
      if (end == std::string::npos) return;
      const size_t rest = head_.size() - end - 4;
      data += length - rest;
      length = rest;
      if (!parse_head(head_.substr(0, end + 2))) return;
      continue;
    }
    const size_t part = std::min<uint64_t>(left_, length);
    hash_.add(data, part);
    received_ += part;
    left_ -= part;
    data += part;
    length -= part;
    if (left_ == 0) finish_body();
  }
}

bool Connection::parse_head(const std::string& head) {
  const int status = head.compare(0, 9, "HTTP/1.1 ") == 0 ? atoi(head.c_str() + 9) : 0;
  std::string lower = head;
  std::transform(lower.begin(), lower.end(), lower.begin(), ::tolower);
  const size_t field = lower.find("\r\ncontent-length:");
  const uint64_t expected = bodies_->of(plan_.paths[current_]).bytes;
  left_ = field == std::string::npos ? 0 : strtoull(&lower[field + 17], nullptr, 10);
  if (status != 200 || field == std::string::npos || left_ != expected) {
    end_all("corrupt", "unexpected head: " + head.substr(0, head.find('\r')));
    return false;
  }
  head_.clear();
  in_body_ = true;
  received_ = 0;
  hash_.restart();
  if (left_ == 0) finish_body();
  return !done();
}

void Connection::finish_body() {
  in_body_ = false;
  const std::string& path = plan_.paths[current_];
  if (hash_.digest() != bodies_->of(path).digest)
    return end_all("corrupt", "the body's hash differs");
  if (plan_.mode == "close" && current_ + 1 == plan_.paths.size()) {
    closing_ = true;  // complete only with the server's close_notify
    return;
  }
  report("complete", "");
  ++current_;
  take_request();
  if (done()) SSL_shutdown(ssl_);
}

// The last call of OpenSSL did not succeed: it must wait, or the connection is over.
void Connection::stopped(int result, const char* where) {
  const int error = SSL_get_error(ssl_, result);
  const int system_error = errno;
  if (error == SSL_ERROR_WANT_READ) return;
  if (error == SSL_ERROR_WANT_WRITE) {
    wanted_ = POLLOUT;
    return;
  }
  std::string detail = "close_notify";
  if (error == SSL_ERROR_SYSCALL)
    detail = std::string(where) + ": " + strerror(system_error);
  else if (error != SSL_ERROR_ZERO_RETURN)
    detail = std::string(where) + ": " + ERR_error_string(ERR_peek_error(), nullptr);
  ERR_clear_error();
  if (closing_ && error == SSL_ERROR_ZERO_RETURN) {
    report("complete", "");
    ++current_;
    SSL_shutdown(ssl_);
    return;
  }
  if (closing_) return end_all("truncated", "no close_notify: " + detail);
  const bool expected = plan_.profile == Profile::kStall && stalled_;
  if (expected) return end_all("reset_after_stall", detail);
  end_all(connected_ ? "truncated" : "failed", detail);
}

// Ends this download with the outcome; those that were to follow on the connection failed with it.
void Connection::end_all(const std::string& outcome, const std::string& detail) {
  gap_ms_max_ = std::max(gap_ms_max_, now_ms() - last_read_ms_);
  report(outcome, detail);
  for (++current_; current_ < plan_.paths.size(); ++current_) {
    received_ = 0;
    report("failed", "the connection ended before: " + outcome + " " + detail);
  }
}

void Connection::report(const std::string& outcome, const std::string& detail) {
  std::string clean;
  for (const char c : detail)
    clean += c == '"' || c == '\\' || static_cast<unsigned char>(c) < 32 ? '\'' : c;
  const std::string& path = plan_.paths[current_];
  printf(
      "{\"id\":\"%s\",\"path\":\"%s\",\"size\":%llu,\"received\":%llu,\"profile\":\"%s\","
      "\"tls\":\"%s\",\"cipher\":\"%s\",\"mode\":\"%s\",\"outcome\":\"%s\",\"detail\":\"%s\","
      "\"ms\":%lld,\"gapMs\":%lld}\n",
      plan_.id.c_str(), path.c_str(), static_cast<unsigned long long>(bodies_->of(path).bytes),
      static_cast<unsigned long long>(received_), plan_.profile_text.c_str(), SSL_get_version(ssl_),
      SSL_get_cipher_name(ssl_), plan_.mode.c_str(), outcome.c_str(), clean.c_str(),
      static_cast<long long>(now_ms() - start_ms_), static_cast<long long>(gap_ms_max_));
  gap_ms_max_ = 0;
}
