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
// last body). close: the last request says Connection: close. RCVBUF: bytes for SO_RCVBUF, 0 for
// the default. A line of the results is one download, as JSON. Outcomes: complete, truncated,
// corrupt, failed (no response at all), closed_by_us, reset_after_stall, timeout.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch())
      .count();
}

class Sha256 {
 public:
  Sha256() { restart(); }
  ~Sha256() { EVP_MD_CTX_free(context_); }
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void restart() { EVP_DigestInit_ex(context_, EVP_sha256(), nullptr); }
  void add(const char* data, size_t length) { EVP_DigestUpdate(context_, data, length); }
  std::string digest() {
    unsigned char out[32];
    EVP_DigestFinal_ex(context_, out, nullptr);
    return std::string(reinterpret_cast<char*>(out), sizeof out);
  }

 private:
  EVP_MD_CTX* context_ = EVP_MD_CTX_new();
};

struct Body {
  uint64_t bytes = 0;
  std::string digest;
};

class Bodies {
 public:
  explicit Bodies(std::string root) : root_(std::move(root)) {}
  const Body& of(const std::string& path) {
    auto found = known_.find(path);
    if (found != known_.end()) return found->second;
    std::ifstream file(root_ + path, std::ios::binary);
    if (!file) {
      fprintf(stderr, "client: cannot read %s%s\n", root_.c_str(), path.c_str());
      exit(2);
    }
    Body body;
    Sha256 hash;
    std::vector<char> buffer(65536);
    while (file.read(buffer.data(), buffer.size()) || file.gcount() > 0) {
      hash.add(buffer.data(), file.gcount());
      body.bytes += file.gcount();
    }
    body.digest = hash.digest();
    return known_.emplace(path, body).first->second;
  }

 private:
  std::string root_;
  std::map<std::string, Body> known_;
};

enum class Profile { kFast, kSlow, kResume, kStall, kEarly };

struct Plan {
  std::string id, tls, cipher, profile_text, mode;
  Profile profile = Profile::kFast;
  int64_t parameter = 0;
  int receive_buffer_bytes = 0;
  std::vector<std::string> paths;

  static bool parse(const std::string& line, Plan* plan) {
    std::istringstream words(line);
    if (!(words >> plan->id >> plan->tls >> plan->cipher >> plan->profile_text >> plan->mode >>
          plan->receive_buffer_bytes))
      return false;
    for (std::string path; words >> path;) plan->paths.push_back(path);
    const size_t colon = plan->profile_text.find(':');
    const std::string name = plan->profile_text.substr(0, colon);
    if (colon != std::string::npos) plan->parameter = atoll(&plan->profile_text[colon + 1]);
    static const std::map<std::string, Profile> kProfiles = {{"fast", Profile::kFast},
                                                             {"slow", Profile::kSlow},
                                                             {"resume", Profile::kResume},
                                                             {"stall", Profile::kStall},
                                                             {"early", Profile::kEarly}};
    const auto found = kProfiles.find(name);
    if (found == kProfiles.end() || plan->paths.empty()) return false;
    plan->profile = found->second;
    return true;
  }
};

// One connection of the plan. step() does what the socket allows; done() ends it.
class Connection {
 public:
  Connection(Plan plan, SSL_CTX* context, const struct sockaddr_in& server, Bodies* bodies)
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
  ~Connection() {
    SSL_free(ssl_);
    close(fd_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool done() const { return current_ >= plan_.paths.size(); }
  struct pollfd poll_fd() const {
    return {fd_, static_cast<short>(now_ms() < sleep_until_ms_ ? 0 : wanted_), 0};
  }
  int64_t wake_at_ms() const { return sleep_until_ms_; }

  void step(short events) {
    if (!failure_.empty()) return end_all("failed", failure_);
    const bool reset = events & (POLLERR | POLLHUP);
    if (now_ms() < sleep_until_ms_) {
      if (!reset) return;
      sleep_until_ms_ = 0;  // a stalled reader learns of the reset
    }
    wanted_ = POLLIN;
    if (!SSL_is_init_finished(ssl_)) {
      const int result = SSL_do_handshake(ssl_);
      if (result <= 0) return stopped(result, "handshake");
    }
    if (!write_requests()) return;
    read_responses();
  }

  void time_out() { end_all("timeout", "the client's own deadline"); }

 private:
  void choose_cipher() {
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

  void queue_requests() {
    for (size_t i = 0; i < plan_.paths.size(); ++i) {
      std::string request = "GET " + plan_.paths[i] + " HTTP/1.1\r\nHost: localhost\r\n";
      if (plan_.mode == "close" && i + 1 == plan_.paths.size()) request += "Connection: close\r\n";
      requests_.push_back(request + "\r\n");
    }
    take_request();
    if (plan_.mode == "pipeline")
      while (!requests_.empty()) take_request();
  }
  void take_request() {
    if (requests_.empty()) return;
    unsent_ += requests_.front();
    requests_.pop_front();
  }

  bool write_requests() {
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

  void read_responses() {
    char buffer[16384];
    for (int turn = 0; turn < 16 && !done(); ++turn) {
      const size_t allowed = allowance(sizeof buffer);
      if (done() || allowed == 0) return;
      const int got = SSL_read(ssl_, buffer, static_cast<int>(allowed));
      if (got <= 0) return stopped(got, "read");
      consumed_ += got;
      take(buffer, got);
      if (!done() && !write_requests()) return;
    }
    again_ = !done() && SSL_pending(ssl_) > 0;
  }

  // How much may be read now, by the profile; 0 after it has set sleep_until_ms_.
  size_t allowance(size_t most) {
    const uint64_t threshold = std::min<uint64_t>(bodies_->of(plan_.paths[0]).bytes / 4, 200'000);
    switch (plan_.profile) {
      case Profile::kFast:
        return most;
      case Profile::kSlow: {
        if (slow_since_ms_ == 0) slow_since_ms_ = now_ms();
        const int64_t due = (now_ms() - slow_since_ms_ + 5) * plan_.parameter / 1000;
        if (static_cast<int64_t>(consumed_) < due) return std::min<int64_t>(most, due - consumed_);
        sleep_until_ms_ = now_ms() + 5;
        return 0;
      }
      case Profile::kResume:
      case Profile::kStall:
        if (stalled_ || consumed_ < threshold) return most;
        stalled_ = true;
        sleep_until_ms_ = now_ms() + plan_.parameter;
        return 0;
      case Profile::kEarly:
        if (current_ + 1 == plan_.paths.size() && consumed_ >= threshold) {
          end_all("closed_by_us", "");
          return 0;
        }
        return most;
    }
    return most;
  }

  void take(const char* data, size_t length) {
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
        if (left_ > 0) continue;
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

  bool parse_head(const std::string& head) {
    status_ = head.compare(0, 9, "HTTP/1.1 ") == 0 ? atoi(head.c_str() + 9) : 0;
    std::string lower = head;
    std::transform(lower.begin(), lower.end(), lower.begin(), ::tolower);
    const size_t field = lower.find("\r\ncontent-length:");
    const uint64_t expected = bodies_->of(plan_.paths[current_]).bytes;
    left_ = field == std::string::npos ? 0 : strtoull(&lower[field + 17], nullptr, 10);
    if (status_ != 200 || field == std::string::npos || left_ != expected) {
      end_all("corrupt", "unexpected head: " + head.substr(0, head.find('\r')));
      return false;
    }
    head_.clear();
    in_body_ = true;
    received_ = 0;
    hash_.restart();
    return true;
  }

  void finish_body() {
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

  // The connection cannot go on now, or ever.
  void stopped(int result, const char* where) {
    const int error = SSL_get_error(ssl_, result);
    const int system_error = errno;
    if (error == SSL_ERROR_WANT_READ) return;
    if (error == SSL_ERROR_WANT_WRITE) {
      wanted_ = POLLOUT;
      return;
    }
    std::string detail;
    if (error == SSL_ERROR_ZERO_RETURN)
      detail = "close_notify";
    else if (error == SSL_ERROR_SYSCALL)
      detail = std::string(where) + ": " + strerror(system_error);
    else
      detail = std::string(where) + ": " + ERR_error_string(ERR_peek_error(), nullptr);
    ERR_clear_error();
    if (closing_ && error == SSL_ERROR_ZERO_RETURN) {
      report("complete", "");
      ++current_;
      SSL_shutdown(ssl_);
      return;
    }
    if (closing_) return end_all("truncated", "no close_notify: " + detail);
    const bool reset_expected = plan_.profile == Profile::kStall && stalled_;
    if (reset_expected) return end_all("reset_after_stall", detail);
    end_all(in_body_ || !head_.empty() ? "truncated" : "failed", detail);
  }

  // Ends this download with the outcome; those that were to follow failed with it.
  void end_all(const std::string& outcome, const std::string& detail) {
    report(outcome, detail);
    for (++current_; current_ < plan_.paths.size(); ++current_) {
      received_ = 0;
      report("failed", "the connection ended before: " + outcome + " " + detail);
    }
  }

  void report(const std::string& outcome, const std::string& detail) {
    std::string clean;
    for (const char c : detail)
      clean += c == '"' || c == '\\' || static_cast<unsigned char>(c) < 32 ? '\'' : c;
    printf(
        "{\"id\":\"%s\",\"path\":\"%s\",\"size\":%llu,\"received\":%llu,\"profile\":\"%s\","
        "\"tls\":\"%s\",\"cipher\":\"%s\",\"mode\":\"%s\",\"outcome\":\"%s\",\"detail\":\"%s\","
        "\"ms\":%lld}\n",
        plan_.id.c_str(), plan_.paths[current_].c_str(),
        static_cast<unsigned long long>(bodies_->of(plan_.paths[current_]).bytes),
        static_cast<unsigned long long>(received_), plan_.profile_text.c_str(),
        SSL_get_version(ssl_), SSL_get_cipher_name(ssl_), plan_.mode.c_str(), outcome.c_str(),
        clean.c_str(), static_cast<long long>(now_ms() - start_ms_));
  }

 public:
  bool again_ = false;  // OpenSSL holds decrypted bytes: no need to wait for the socket

 private:
  Plan plan_;
  Bodies* bodies_;
  int64_t start_ms_;
  int fd_ = -1;
  SSL* ssl_ = nullptr;
  std::string failure_;
  short wanted_ = POLLOUT;
  std::deque<std::string> requests_;
  std::string unsent_, head_;
  size_t current_ = 0;
  int status_ = 0;
  bool in_body_ = false, closing_ = false, stalled_ = false;
  uint64_t left_ = 0, received_ = 0, consumed_ = 0;
  int64_t sleep_until_ms_ = 0, slow_since_ms_ = 0;
  Sha256 hash_;
};

using Connections = std::vector<std::unique_ptr<Connection>>;

void poll_once(Connections& active) {
  std::vector<struct pollfd> fds;
  int64_t wake_ms = now_ms() + 1000;
  for (const auto& connection : active) {
    fds.push_back(connection->poll_fd());
    if (fds.back().events == 0) wake_ms = std::min(wake_ms, connection->wake_at_ms());
    if (connection->again_) wake_ms = 0;
  }
  const int wait_ms = static_cast<int>(std::max<int64_t>(0, wake_ms - now_ms()));
  if (poll(fds.data(), fds.size(), wait_ms) < 0 && errno != EINTR) exit(2);
  for (size_t i = 0; i < active.size(); ++i) {
    const bool awake = fds[i].events == 0 && active[i]->wake_at_ms() <= now_ms();
    if (fds[i].revents == 0 && !awake && !active[i]->again_) continue;
    active[i]->again_ = false;
    active[i]->step(fds[i].revents);
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
