// SPDX-License-Identifier: Apache-2.0
// Load for the comparison of servers: one thread a connection, blocking calls. After the first
// response of a connection it counts records and decrypts nothing, so that the guest's one CPU is
// the server's. bench/inside/ runs it. Prints one number.
//   load PORT requests PATH CONNECTIONS SECONDS
//     responses a second, over keep-alive connections
//   load PORT ranges PATH CONNECTIONS SECONDS
//     the same, each from another byte of the file on
//   load PORT download PATH FIRST 0
//     seconds of one response, from this byte of the file on, over a connection that is there
//   load PORT handshakes full|resumed THREADS SECONDS
//     connections a second: handshake, one GET, end
//   load PORT stall PATH CONNECTIONS SECONDS
//     clients that read the head and then nothing more
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "record_reader.hpp"

namespace {

using Clock = std::chrono::steady_clock;

struct Target {
  int port = 0;
  std::string path;
  SSL_CTX* context = nullptr;
};

[[noreturn]] void die(const char* what) {
  fprintf(stderr, "load: %s\n", what);
  _exit(1);
}

class Connection {
 public:
  Connection(const Target& target, SSL_SESSION* session)
      : fd_(socket(AF_INET, SOCK_STREAM, 0)), ssl_(SSL_new(target.context)) {
    const int one = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(target.port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd_, reinterpret_cast<struct sockaddr*>(&address), sizeof address) != 0)
      die("connect");
    SSL_set_fd(ssl_, fd_);
    if (session != nullptr) SSL_set_session(ssl_, session);
    if (SSL_connect(ssl_) != 1) die("handshake");
  }
  ~Connection() {
    // Else OpenSSL takes the session for a broken one and does not resume it.
    SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl_);
    close(fd_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void ask(const Target& target, const char* fields) {
    const std::string request =
        "GET " + target.path + " HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n";
    if (SSL_write(ssl_, request.data(), static_cast<int>(request.size())) <= 0) die("write");
  }

  // Reads and decrypts to the end of the head, or of the whole response; returns the length of
  // that.
  size_t read_response(bool whole, const char* status = "200", size_t* read = nullptr) {
    std::string text;
    std::vector<char> buffer(65536);
    size_t received = 0, expected = SIZE_MAX;
    while (received < expected && (whole || expected == SIZE_MAX)) {
      const int got = SSL_read(ssl_, buffer.data(), static_cast<int>(buffer.size()));
      if (got <= 0) die("the server ended the connection");
      received += got;
      if (expected != SIZE_MAX) continue;
      text.append(buffer.data(), got);
      const size_t end = text.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      size_t field = text.find("ontent-Length: ");
      if (field == std::string::npos) field = text.find("ontent-length: ");
      if (text.compare(9, 3, status) != 0 || field >= end) die("unexpected response");
      expected = end + 4 + strtoull(&text[field + 15], nullptr, 10);
    }
    if (read != nullptr) *read = received;
    return expected;
  }

  SSL* ssl() const { return ssl_; }
  // What TLS adds to the plaintext of a record.
  size_t overhead() const { return SSL_version(ssl_) == TLS1_3_VERSION ? 17 : 24; }
  int fd() const { return fd_; }

 private:
  int fd_;
  SSL* ssl_;
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Where the responses to a connection's requests begin. A cipher in portable C is up to 6 % slower
// or faster by where in a word its input lies, which in a server's case the length of its head
// decides: with ranges that begin at sixteen bytes in turn it is the same for all.
class FirstByte {
 public:
  explicit FirstByte(bool varies) : varies_(varies) {}

  const char* status() const { return varies_ ? "206" : "200"; }
  // Less of the file than in the response to request 0, which has a head of the same length.
  size_t skipped(int request) const { return varies_ ? static_cast<size_t>(request) % 16 : 0; }
  std::string field(int request) const {
    if (!varies_) return "";
    return "Range: bytes=" + std::to_string(16 + skipped(request)) + "-\r\n";
  }

 private:
  bool varies_;
};

// Both loops return their own rate, and end after the last whole response: a slow server that sends
// large files is measured to the end of what it sends.
double request_loop(const Target& target, const FirstByte& first_byte, int seconds) {
  Connection connection(target, nullptr);
  connection.ask(target, first_byte.field(0).c_str());
  const size_t bytes = connection.read_response(true, first_byte.status());
  auto reader = std::make_unique<RecordReader>(connection.fd(), connection.overhead());
  uint64_t records = 0;
  const auto start = Clock::now();
  int done = 0;
  for (; seconds_since(start) < seconds; ++done) {
    connection.ask(target, first_byte.field(done).c_str());
    if (!reader->read_response(bytes - first_byte.skipped(done), &records))
      die("the server ended the connection");
  }
  return done / seconds_since(start);
}

double download(const Target& target, int first) {
  Connection connection(target, nullptr);
  const auto start = Clock::now();
  connection.ask(target, ("Range: bytes=" + std::to_string(first) + "-\r\n").c_str());
  size_t read = 0;
  const size_t bytes = connection.read_response(false, "206", &read);
  auto reader = std::make_unique<RecordReader>(connection.fd(), connection.overhead());
  uint64_t records = 0;
  if (!reader->read_response(bytes - read, &records)) die("the server ended the connection");
  return seconds_since(start);
}

double handshake_loop(const Target& target, SSL_SESSION* session, int seconds) {
  const auto start = Clock::now();
  int done = 0;
  for (; seconds_since(start) < seconds; ++done) {
    Connection connection(target, session);
    if ((session != nullptr) != (SSL_session_reused(connection.ssl()) == 1))
      die("resumption is not as asked");
    connection.ask(target, "Connection: close\r\n");
    connection.read_response(true);
  }
  return done / seconds_since(start);
}

// A ticket of a first connection, for all that follow.
SSL_SESSION* fetch_session(const Target& target) {
  Connection connection(target, nullptr);
  connection.ask(target, "");
  connection.read_response(true);
  SSL_SESSION* session = SSL_get1_session(connection.ssl());
  if (SSL_SESSION_is_resumable(session) != 1) die("the server gives no resumable session");
  return session;
}

void stall(const Target& target, int connections, int seconds) {
  std::vector<std::unique_ptr<Connection>> all;
  for (int i = 0; i < connections; ++i) {
    all.push_back(std::make_unique<Connection>(target, nullptr));
    all.back()->ask(target, "");
    all.back()->read_response(false);
  }
  printf("stalled\n");
  fflush(stdout);
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    fprintf(
        stderr,
        "usage: load PORT requests|ranges|download|handshakes|stall PATH|full|resumed N SECONDS\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  const std::string mode = argv[2], what = argv[3];
  Target target = {atoi(argv[1]), mode == "handshakes" ? "/f1" : what, nullptr};
  const int count = atoi(argv[4]), seconds = atoi(argv[5]);
  target.context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_verify(target.context, SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_ciphersuites(target.context, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set_cipher_list(target.context, "ECDHE-ECDSA-AES128-GCM-SHA256");
  if (mode == "stall") {
    stall(target, count, seconds);
    return 0;
  }
  if (mode == "download") {
    printf("%.4f\n", download(target, count));
    return 0;
  }
  SSL_SESSION* session = what == "resumed" ? fetch_session(target) : nullptr;
  std::vector<double> rates(count);
  std::vector<std::thread> threads;
  for (double& rate : rates)
    threads.emplace_back([&] {
      rate = mode == "handshakes" ? handshake_loop(target, session, seconds)
                                  : request_loop(target, FirstByte(mode == "ranges"), seconds);
    });
  for (std::thread& thread : threads) thread.join();
  double sum = 0;
  for (const double rate : rates) sum += rate;
  printf("%.2f\n", sum);
  return 0;
}
