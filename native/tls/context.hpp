// SPDX-License-Identifier: Apache-2.0
// An immutable generation of TLS contexts. The first certificate is the default; SNI chooses among
// the others. Pairs with the same name and keys of several types (RSA and ECDSA) are served
// together: OpenSSL chooses by the client's signature algorithms (RFC 8446 4.2.3). Built on the
// Node thread (validate), swapped on the engine's thread (commit). A handshake under way keeps the
// generation with which it began.
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
  // Never served together with another pair of its name: of those, only the first is served.
  bool stands_alone = false;
};

class ContextGeneration {
 public:
  using Trust = std::shared_ptr<const ClientTrust>;  // null: no client certificate is requested

  // Null, with one sentence in `error`, if a certificate or key cannot be used, if they do not
  // match, or if OpenSSL has none of the `groups` (for the key exchange, in order of preference;
  // empty: the default of groups.hpp). `tickets` must outlive the generation. `http2`: ALPN offers
  // it, before HTTP/1.1.
  static std::shared_ptr<const ContextGeneration> build(
      const std::vector<CertificatePem>& pems, Trust trust, TicketKeys& tickets, std::string& error,
      const std::vector<std::string>& groups = {}, bool http2 = false);
  // A copy with the same certificates and groups, and other settings for client certificates.
  std::shared_ptr<const ContextGeneration> with_trust(Trust trust, TicketKeys& tickets,
                                                      std::string& error) const;
  ~ContextGeneration();
  ContextGeneration(const ContextGeneration&) = delete;
  ContextGeneration& operator=(const ContextGeneration&) = delete;

  // For clients that send no SNI, or an unknown name.
  SSL_CTX* default_context() const { return contexts_.back(); }
  // Gives a handshake that began with the default context the first pair whose certificate is valid
  // for `name` (RFC 6066 3), and the pairs of other key types that are valid for it as well.
  void choose(SSL* ssl, const char* name) const;
  // The first key of the handshake's certificates that is not in memory; null: all are in memory.
  RemoteKey remote_key_of(SSL* ssl) const;
  // Gives a handshake whose key fails the certificates that are valid for its client and have their
  // keys in memory. False: there are none, and nothing has changed.
  bool choose_in_memory(SSL* ssl) const;
  const Trust& trust() const { return trust_; }
  // The settings to which a verified identity is bound. All zero if no client certificate is
  // requested.
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

  std::shared_ptr<const Pairs> pairs_;  // shared by every generation with these certificates
  Trust trust_;
  std::string groups_;
  bool http2_;
  std::vector<SSL_CTX*> contexts_;  // one for each pair; the default is last
};

}  // namespace spliced::tls
