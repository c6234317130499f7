// SPDX-License-Identifier: Apache-2.0
// The limit that the comparisons have beside the peers: a server that does no more than the kernel
// and OpenSSL make anybody do. It parses nothing (it knows what bench/load.cpp writes), keeps no
// account and no deadline, drains nothing and logs nothing: with kernel TLS one recv and one send a
// request, and sendfile for large files; without it SSL_read and SSL_write of the same. Never a
// server for anything else.
//   bare-server PORT ROOT CERTIFICATE KEY THREADS
// ROOT has files whose names are `f` and their size in bytes. Each thread has an epoll of its own;
// all accept on one socket. Started by bench/inside/servers.mjs, with the peers' OpenSSL: it knows
// kernel TLS.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr off_t kInMemoryBytesMax = 65536;
constexpr size_t kWriteBytesMax = 1 << 20;
constexpr int kSizes[] = {1, 1024, 16384, 16 << 20};

[[noreturn]] void die(const char* what) {
  fprintf(stderr, "bare-server: %s: %s\n", what, strerror(errno));
  ERR_print_errors_fp(stderr);
  exit(1);
}

// A small one is head and body in one piece; of a large one the head, and the file by descriptor
// and in memory.
struct File {
  std::string whole;
  int fd = -1;
  off_t size = 0;
  const char* mapped = nullptr;
};

std::string head_of(off_t length, const char* status) {
  return std::string("HTTP/1.1 ") + status +
         "\r\nContent-Type: application/octet-stream\r\nContent-Length: " + std::to_string(length) +
         "\r\n\r\n";
}

File open_file(const std::string& path) {
  File file;
  file.fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (file.fd < 0 || fstat(file.fd, &status) != 0) die(path.c_str());
  file.size = status.st_size;
  void* mapped = mmap(nullptr, file.size, PROT_READ, MAP_SHARED, file.fd, 0);
  if (mapped == MAP_FAILED) die("mmap");
  file.mapped = static_cast<const char*>(mapped);
  if (file.size <= kInMemoryBytesMax)
    file.whole = head_of(file.size, "200 OK") + std::string(file.mapped, file.size);
  return file;
}

struct Connection {
  int socket = -1;
  SSL* ssl = nullptr;
  bool is_shaken = false, kernel_sends = false, kernel_receives = false;
  bool ends = false;           // after this response
  const File* file = nullptr;  // under way
  std::string head;
  size_t head_sent = 0;
  off_t offset = 0;  // into File::whole, or into the file
};

class Worker {
 public:
  Worker(SSL_CTX* context, int listener, const std::map<int, File>& files)
      : context_(context),
        listener_(listener),
        files_(files),
        epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

  [[noreturn]] void run() {
    struct epoll_event event = {};
    event.events = EPOLLIN | EPOLLEXCLUSIVE;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event) != 0) die("epoll_ctl");
    for (;;) {
      struct epoll_event events[64];
      const int count = epoll_wait(epoll_, events, 64, -1);
      for (int i = 0; i < count; ++i) {
        auto* connection = static_cast<Connection*>(events[i].data.ptr);
        if (connection == nullptr)
          accept_one();
        else if (!step(connection))
          end(connection);
      }
    }
  }

 private:
  void accept_one() {
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) return;
    const int one = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    auto* connection = new Connection;
    connection->socket = socket;
    connection->ssl = SSL_new(context_);
    SSL_set_fd(connection->ssl, socket);
    SSL_set_accept_state(connection->ssl);
    struct epoll_event event = {};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = connection;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event) != 0) die("epoll_ctl");
    if (!step(connection)) end(connection);
  }

  void end(Connection* connection) {
    if (connection->is_shaken) SSL_shutdown(connection->ssl);
    SSL_free(connection->ssl);
    close(connection->socket);
    ERR_clear_error();
    delete connection;
  }

  // False when the connection is over.
  bool step(Connection* c) {
    if (!c->is_shaken) {
      const int result = SSL_do_handshake(c->ssl);
      if (result != 1) return waits(c, result);
      c->is_shaken = true;
      c->kernel_sends = BIO_get_ktls_send(SSL_get_wbio(c->ssl)) != 0;
      c->kernel_receives = BIO_get_ktls_recv(SSL_get_rbio(c->ssl)) != 0;
    }
    for (;;) {
      if (c->file != nullptr) {
        const int sent = respond(c);
        if (sent <= 0) return sent == 0;
        c->file = nullptr;
        if (c->ends) return false;
      }
      char request[4096];
      int got;
      if (c->kernel_receives) {
        got = static_cast<int>(recv(c->socket, request, sizeof request - 1, 0));
        if (got < 0 && errno == EAGAIN) return true;
      } else {
        got = SSL_read(c->ssl, request, sizeof request - 1);
        if (got <= 0) return waits(c, got);
      }
      if (got <= 0) return false;
      request[got] = 0;
      if (!ask(c, request)) return false;
    }
  }

  static bool waits(Connection* c, int result) {
    const int error = SSL_get_error(c->ssl, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  }

  // The requests of bench/load.cpp and of wrk: "GET /fSIZE HTTP/1.1", whole, one at a time.
  bool ask(Connection* c, const char* request) {
    const auto found = files_.find(strncmp(request, "GET /f", 6) == 0 ? atoi(request + 6) : -1);
    if (found == files_.end()) return false;
    c->file = &found->second;
    c->offset = 0;
    c->head.clear();
    c->head_sent = 0;
    c->ends = strstr(request, "Connection: close") != nullptr;
    if (!c->file->whole.empty()) return true;
    const char* range = strstr(request, "Range: bytes=");
    if (range != nullptr) c->offset = atoll(range + 13);
    c->head =
        head_of(c->file->size - c->offset, range == nullptr ? "200 OK" : "206 Partial Content");
    return true;
  }

  // 1: sent whole; 0: the socket is full; -1: the connection is over.
  static int respond(Connection* c) {
    const std::string& whole = c->file->whole;
    if (!whole.empty()) return send_all(c, whole.data(), static_cast<off_t>(whole.size()));
    while (c->head_sent < c->head.size()) {
      const size_t left = c->head.size() - c->head_sent;
      const ssize_t sent = write(c, c->head.data() + c->head_sent, left, MSG_MORE);
      if (sent <= 0) return static_cast<int>(sent);
      c->head_sent += sent;
    }
    if (!c->kernel_sends) return send_all(c, c->file->mapped, c->file->size);
    while (c->offset < c->file->size) {
      const ssize_t sent = sendfile(c->socket, c->file->fd, &c->offset, c->file->size - c->offset);
      if (sent <= 0) return sent < 0 && errno == EAGAIN ? 0 : -1;
    }
    return 1;
  }

  static int send_all(Connection* c, const char* data, off_t size) {
    while (c->offset < size) {
      const size_t left = std::min<size_t>(size - c->offset, kWriteBytesMax);
      const ssize_t sent = write(c, data + c->offset, left, 0);
      if (sent <= 0) return static_cast<int>(sent);
      c->offset += sent;
    }
    return 1;
  }

  // Bytes; 0: the socket is full; -1: the connection is over.
  static ssize_t write(Connection* c, const char* data, size_t length, int flags) {
    if (c->kernel_sends) {
      const ssize_t sent = send(c->socket, data, length, flags | MSG_NOSIGNAL);
      return sent < 0 && errno == EAGAIN ? 0 : sent;
    }
    const int sent = SSL_write(c->ssl, data, static_cast<int>(length));
    if (sent > 0) return sent;
    return waits(c, sent) ? 0 : -1;
  }

  SSL_CTX* context_;
  int listener_;
  const std::map<int, File>& files_;
  int epoll_;
};

SSL_CTX* make_context(const char* certificate, const char* key) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
    die("certificate");
  SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set_cipher_list(context, "ECDHE-ECDSA-AES128-GCM-SHA256");
  SSL_CTX_set_options(context, SSL_OP_ENABLE_KTLS | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_num_tickets(context, 1);
  return context;
}

int listen_on(int port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<struct sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener, 511) != 0)
    die("listen");
  return listener;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: bare-server PORT ROOT CERTIFICATE KEY THREADS\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  std::map<int, File> files;
  for (const int size : kSizes)
    files[size] = open_file(std::string(argv[2]) + "/f" + std::to_string(size));
  SSL_CTX* context = make_context(argv[3], argv[4]);
  const int listener = listen_on(atoi(argv[1]));
  std::vector<std::thread> threads;
  for (int i = 0; i < atoi(argv[5]); ++i)
    threads.emplace_back([&] { Worker(context, listener, files).run(); });
  for (std::thread& thread : threads) thread.join();
}
