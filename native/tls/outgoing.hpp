// SPDX-License-Identifier: Apache-2.0
// A TLS client whose certificate has its key in a token, which Node's tls module cannot show: over
// bytes, whoever calls it has the socket. For EST (src/tls/token-connection.ts). It verifies the
// server's certificate and name.
#pragma once
#include <memory>
#include <string>

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;

namespace spliced::tls {

class Outgoing {
 public:
  struct Peer {
    std::string name;       // a host name or an address, which its certificate must have
    std::string anchors;    // PEM: who may have signed that
    std::string chain;      // ours, PEM, the leaf first
    std::string reference;  // of our key
  };

  struct Step {
    std::string to_network;
    std::string received;  // plain
    bool established = false;
    bool ended = false;  // close_notify has come
  };

  // Null, with one sentence in `error`. Asks the token at the first time. Any thread.
  static std::unique_ptr<Outgoing> start(const Peer& peer, std::string& error);
  ~Outgoing();
  Outgoing(const Outgoing&) = delete;
  Outgoing& operator=(const Outgoing&) = delete;

  // Takes what came from the network, and what is to be sent once the handshake is done. One call
  // after the other; it takes as long as the token takes to sign. Sets `error` when the connection
  // is no use any more: `to_network` is then an alert.
  Step step(const std::string& from_network, const std::string& to_send, std::string& error);

 private:
  Outgoing() = default;
  bool prepare(const Peer& peer, std::string& error);
  bool go_on(Step& step, std::string& error);
  std::string failure() const;

  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  std::string name_;
  std::string unsent_;  // waits for the handshake
};

}  // namespace spliced::tls
