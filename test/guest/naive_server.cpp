// SPDX-License-Identifier: Apache-2.0
// The control experiment of the guest tests: a small HTTPS server with the very bug that spliced
// was written against. It promotes its sockets to kernel TLS, sends with non-blocking sendfile, and
// closes as soon as the last sendfile has returned. Slow readers then lose the records that still
// were in the TLS layer. matrix.test.ts runs it to prove that its own conditions can make a
// download fail. One process, one thread; TLS 1.2 and 1.3 with AES-128-GCM; one request a
// connection.
//   naive-server ROOT CERTIFICATE KEY      listens on a free port of 127.0.0.1 and prints it
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tls.h>
#include <netinet/tcp.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

constexpr size_t kPieceBytes = 65536;

[[noreturn]] void die(const char* what) {
  fprintf(stderr, "naive-server: %s: %s\n", what, strerror(errno));
  ERR_print_errors_fp(stderr);
  exit(1);
}

struct Connection {
  explicit Connection(int fd, SSL* tls) : socket(fd), ssl(tls) {}
  ~Connection() {
    if (file >= 0) close(file);
    SSL_free(ssl);
    close(socket);
  }
  int socket;
  SSL* ssl;
  std::vector<unsigned char> secret;  // TLS 1.3: the server's application traffic secret
  std::string request;
  int file = -1;
  off_t offset = 0, length = 0;
  bool sending = false;
};

// ---- keys ----

bool derive(const char* kdf_name, const OSSL_PARAM* params, unsigned char* out, size_t length) {
  EVP_KDF* kdf = EVP_KDF_fetch(nullptr, kdf_name, nullptr);
  EVP_KDF_CTX* context = EVP_KDF_CTX_new(kdf);
  const int derived = EVP_KDF_derive(context, out, length, params);
  EVP_KDF_CTX_free(context);
  EVP_KDF_free(kdf);
  return derived == 1;
}

// RFC 8446 7.1, with an empty context.
bool expand_label(const std::vector<unsigned char>& secret, const std::string& label,
                  unsigned char* out, size_t length) {
  const std::string full = "tls13 " + label;
  std::vector<unsigned char> info = {static_cast<unsigned char>(length >> 8),
                                     static_cast<unsigned char>(length),
                                     static_cast<unsigned char>(full.size())};
  info.insert(info.end(), full.begin(), full.end());
  info.push_back(0);
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  char digest[] = "SHA256";
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
                                        const_cast<unsigned char*>(secret.data()), secret.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
      OSSL_PARAM_construct_end()};
  return derive("HKDF", params, out, length);
}

// RFC 5246 6.3 and RFC 5288: client key, server key, client salt, server salt.
bool key_block(SSL* ssl, unsigned char* out, size_t length) {
  unsigned char master[48], server[32], client[32];
  SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof master);
  SSL_get_server_random(ssl, server, sizeof server);
  SSL_get_client_random(ssl, client, sizeof client);
  std::string seed = "key expansion";
  seed.append(reinterpret_cast<char*>(server), sizeof server);
  seed.append(reinterpret_cast<char*>(client), sizeof client);
  char digest[] = "SHA256";
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master, sizeof master),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed.data(), seed.size()),
      OSSL_PARAM_construct_end()};
  return derive("TLS1-PRF", params, out, length);
}

bool promote(Connection& connection) {
  struct tls12_crypto_info_aes_gcm_128 info = {};
  info.info.cipher_type = TLS_CIPHER_AES_GCM_128;
  if (SSL_version(connection.ssl) == TLS1_3_VERSION) {
    unsigned char iv[12];
    info.info.version = TLS_1_3_VERSION;  // no tickets were sent: the sequence starts at 0
    if (!expand_label(connection.secret, "key", info.key, sizeof info.key)) return false;
    if (!expand_label(connection.secret, "iv", iv, sizeof iv)) return false;
    memcpy(info.salt, iv, sizeof info.salt);
    memcpy(info.iv, iv + sizeof info.salt, sizeof info.iv);
  } else {
    unsigned char block[40];
    info.info.version = TLS_1_2_VERSION;
    if (!key_block(connection.ssl, block, sizeof block)) return false;
    memcpy(info.key, block + 16, sizeof info.key);
    memcpy(info.salt, block + 36, sizeof info.salt);
    info.rec_seq[7] = 1;  // after Finished
    info.iv[7] = 1;
  }
  if (setsockopt(connection.socket, SOL_TCP, TCP_ULP, "tls", 4) != 0) die("TCP_ULP (module tls)");
  return setsockopt(connection.socket, SOL_TLS, TLS_TX, &info, sizeof info) == 0;
}

void keep_secret(const SSL* ssl, const char* line) {
  constexpr char kLabel[] = "SERVER_TRAFFIC_SECRET_0 ";
  if (strncmp(line, kLabel, sizeof kLabel - 1) != 0) return;
  const char* hex = strrchr(line, ' ') + 1;
  auto* connection = static_cast<Connection*>(SSL_get_app_data(ssl));
  connection->secret.clear();
  for (; hex[0] && hex[1]; hex += 2)
    connection->secret.push_back(
        static_cast<unsigned char>(std::stoi(std::string(hex, 2), nullptr, 16)));
}

// ---- one connection; each step returns false when the connection is over ----

bool would_block(SSL* ssl, int result) {
  const int error = SSL_get_error(ssl, result);
  ERR_clear_error();
  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

bool start_response(Connection& connection, const std::string& root) {
  const size_t begin = connection.request.find(' ');
  const size_t end = connection.request.find(' ', begin + 1);
  if (begin == std::string::npos || end == std::string::npos) return false;
  const std::string path = root + connection.request.substr(begin + 1, end - begin - 1);
  connection.file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (connection.file < 0 || fstat(connection.file, &status) != 0) return false;
  connection.length = status.st_size;
  if (!promote(connection)) die("TLS_TX");
  connection.sending = true;
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(status.st_size) +
                           "\r\nConnection: close\r\n\r\n";
  const int flags = MSG_NOSIGNAL | (status.st_size > 0 ? MSG_MORE : 0);
  return send(connection.socket, head.data(), head.size(), flags) ==
         static_cast<ssize_t>(head.size());
}

bool send_body(Connection& connection) {
  while (connection.offset < connection.length) {
    const size_t piece = std::min<size_t>(kPieceBytes, connection.length - connection.offset);
    const ssize_t sent = sendfile(connection.socket, connection.file, &connection.offset, piece);
    if (sent <= 0) return sent < 0 && errno == EAGAIN;
  }
  return false;  // the bug: "everything is sent", so close now
}

bool step(Connection& connection, const std::string& root) {
  if (connection.sending) return send_body(connection);
  if (!SSL_is_init_finished(connection.ssl)) {
    const int result = SSL_do_handshake(connection.ssl);
    if (result <= 0) return would_block(connection.ssl, result);
  }
  char buffer[4096];
  while (connection.request.find("\r\n\r\n") == std::string::npos) {
    const int got = SSL_read(connection.ssl, buffer, sizeof buffer);
    if (got <= 0) return would_block(connection.ssl, got);
    connection.request.append(buffer, got);
  }
  return start_response(connection, root) && send_body(connection);
}

// ---- the server ----

SSL_CTX* make_context(const char* certificate, const char* key) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set_cipher_list(context, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256");
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_keylog_callback(context, keep_secret);
  if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
    die("certificate");
  return context;
}

int listen_on_loopback() {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (bind(listener, reinterpret_cast<struct sockaddr*>(&address), length) != 0 ||
      listen(listener, 511) != 0 ||
      getsockname(listener, reinterpret_cast<struct sockaddr*>(&address), &length) != 0)
    die("listen");
  printf("{\"event\":\"ready\",\"listeners\":[{\"address\":\"127.0.0.1\",\"port\":%d}]}\n",
         ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}

void accept_all(int listener, int epoll, SSL_CTX* context) {
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    auto* connection = new Connection(fd, SSL_new(context));
    SSL_set_fd(connection->ssl, fd);
    SSL_set_app_data(connection->ssl, connection);
    SSL_set_accept_state(connection->ssl);
    struct epoll_event event = {};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = connection;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: naive-server ROOT CERTIFICATE KEY\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  SSL_CTX* context = make_context(argv[2], argv[3]);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  const int listener = listen_on_loopback();
  struct epoll_event event = {};
  event.events = EPOLLIN;
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    struct epoll_event events[64];
    const int count = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<Connection*>(events[i].data.ptr);
      if (connection == nullptr)
        accept_all(listener, epoll, context);
      else if (!step(*connection, argv[1]))
        delete connection;
    }
  }
}
