// SPDX-License-Identifier: Apache-2.0
// An immutable generation of TLS contexts: the first certificate is the default, the others are
// chosen by SNI. Pairs of one name with keys of several types (RSA and ECDSA) are served together:
// OpenSSL chooses by the signature algorithms that the client has (RFC 8446 4.2.3). Built on the
// Node thread (validate), swapped on the engine thread (commit); a handshake under way keeps the
// generation it began with.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "tls/client_trust.hpp"
#include "tls/key_health.hpp"
#include "tls/ticket_keys.hpp"

namespace spliced::tls {

struct CertificatePem {
  std::string chain;        // leaf first
  std::string private_key;  // PEM, or a reference (token_key.hpp)
  // Never beside another pair of its name: the first of them alone is served.
  bool stands_alone = false;
};

class ContextGeneration {
 public:
  using Trust = std::shared_ptr<const ClientTrust>;  // null: clients are not asked

  // Null, with one clear sentence in `error`, when a certificate or key is unusable or they do not
  // match, or when OpenSSL has none of the `groups` (of the key exchange, in the order of
  // preference; none: groups.hpp has the default). `tickets` must outlive the generation. `http2`:
  // ALPN has it, before HTTP/1.1.
  static std::shared_ptr<const ContextGeneration> build(
      const std::vector<CertificatePem>& pems, Trust trust, TicketKeys& tickets, std::string& error,
      const std::vector<std::string>& groups = {}, bool http2 = false);
  // The same certificates and groups with other settings for the clients'.
  std::shared_ptr<const ContextGeneration> with_trust(Trust trust, TicketKeys& tickets,
                                                      std::string& error) const;
  ~ContextGeneration();
  ContextGeneration(const ContextGeneration&) = delete;
  ContextGeneration& operator=(const ContextGeneration&) = delete;

  // For clients that name nothing, or nothing that we know.
  SSL_CTX* default_context() const { return contexts_.back(); }
  // Gives a handshake that began with the default context the first pair whose certificate is good
  // for `name` (RFC 6066 3), and beside it those of the other key types that are good for it too.
  void choose(SSL* ssl, const char* name) const;
  // The first key of a handshake's certificates that is not in memory; null: all are.
  RemoteKey remote_key_of(SSL* ssl) const;
  // Gives a handshake whose key fails the certificates that are good for its client and have their
  // keys in memory. False, and nothing has changed: there are none.
  bool choose_in_memory(SSL* ssl) const;
  const Trust& trust() const { return trust_; }
  // What a verified identity is bound to; all zero when clients are not asked.
  TrustId trust_id() const;

 private:
  struct Pair;
  using Pairs = std::vector<std::unique_ptr<const Pair>>;
  ContextGeneration(std::shared_ptr<const Pairs> pairs, Trust trust, std::string groups, bool http2)
      : pairs_(std::move(pairs)),
        trust_(std::move(trust)),
        groups_(std::move(groups)),
        http2_(http2) {}
  SSL_CTX* add_context(const Pair& pair, TicketKeys& tickets, std::string& error);
  bool add_contexts(TicketKeys& tickets, std::string& error);

  std::shared_ptr<const Pairs> pairs_;  // of every generation with these certificates
  Trust trust_;
  std::string groups_;
  bool http2_;
  std::vector<SSL_CTX*> contexts_;  // of each pair; then the default one
};

}  // namespace spliced::tls
