// SPDX-License-Identifier: Apache-2.0
// A TLS 1.3 client in user space, the other end of loopback connections to this process. Used by
// native/experiment and native/selfcheck. It connects to nothing else, so it verifies no
// certificate.
#pragma once
#include <cstddef>
#include <memory>
#include <string>

#include "os/socket_io.hpp"
#include "tls/session.hpp"

typedef struct ssl_ctx_st SSL_CTX;

namespace spliced::tls {

class ClientContext {
 public:
  ClientContext();  // AES-128-GCM, which every kernel with TLS 1.3 supports
  ~ClientContext();
  ClientContext(const ClientContext&) = delete;
  ClientContext& operator=(const ClientContext&) = delete;
  SSL_CTX* get() const { return context_; }  // null when OpenSSL is out of memory

 private:
  SSL_CTX* context_;
};

class Client {
 public:
  // Null when OpenSSL is out of memory. `socket` is connected and non-blocking; the caller keeps
  // ownership. `context` must outlive the client.
  static std::unique_ptr<Client> start(const ClientContext& context, int socket);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Handshake handshake();
  // Eof: close_notify, or an end of the stream without it.
  os::Received read(char* out, size_t capacity);
  bool write(const char* data, size_t bytes);  // for a request, which fits into the send buffer
  // SHA-256 of the server's certificate as "AB:CD:..."; empty before the handshake is done.
  std::string peer_fingerprint() const;

 private:
  explicit Client(SSL* ssl) : ssl_(ssl) {}
  SSL* ssl_;
};

}  // namespace spliced::tls
