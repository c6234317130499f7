// SPDX-License-Identifier: Apache-2.0
// An immutable generation of TLS contexts: one SSL_CTX a certificate, the first is the default, the
// others are chosen by SNI. Built on the Node thread (validate), swapped on the engine thread
// (commit); a handshake under way keeps the generation it began with.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "tls/client_trust.hpp"
#include "tls/ticket_keys.hpp"

namespace spliced::tls {

struct CertificatePem {
  std::string chain;  // leaf first
  std::string private_key;
};

class ContextGeneration {
 public:
  using Trust = std::shared_ptr<const ClientTrust>;  // null: clients are not asked

  // Null, with one clear sentence in `error`, when a certificate or key is unusable or they do not
  // match. `tickets` must outlive the generation.
  static std::shared_ptr<const ContextGeneration> build(const std::vector<CertificatePem>& pems,
                                                        Trust trust, TicketKeys& tickets,
                                                        std::string& error);
  // The same certificates with other settings for the clients'.
  std::shared_ptr<const ContextGeneration> with_trust(Trust trust, TicketKeys& tickets,
                                                      std::string& error) const;
  ~ContextGeneration();
  ContextGeneration(const ContextGeneration&) = delete;
  ContextGeneration& operator=(const ContextGeneration&) = delete;

  SSL_CTX* default_context() const { return contexts_.front(); }
  // The first context whose certificate is good for `name` (RFC 6066 3), else the default one.
  SSL_CTX* find(const char* name) const;
  const Trust& trust() const { return trust_; }
  // What a verified identity is bound to; all zero when clients are not asked.
  TrustId trust_id() const;

 private:
  explicit ContextGeneration(Trust trust) : trust_(std::move(trust)) {}
  SSL_CTX* add_context(TicketKeys& tickets, std::string& error);

  Trust trust_;
  std::vector<SSL_CTX*> contexts_;
};

}  // namespace spliced::tls
