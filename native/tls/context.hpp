// SPDX-License-Identifier: Apache-2.0
// An immutable generation of TLS contexts: one SSL_CTX a certificate, the first is the default, the
// others are chosen by SNI. Built on the Node thread (validate), swapped on the engine thread
// (commit); a handshake under way keeps the generation it began with.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "tls/ticket_keys.hpp"

namespace spliced::tls {

struct CertificatePem {
  std::string chain;  // leaf first
  std::string private_key;
};

class ContextGeneration {
 public:
  // Null, with one clear sentence in `error`, when a certificate or key is unusable or they do not
  // match. `tickets` must outlive the generation.
  static std::shared_ptr<const ContextGeneration> build(const std::vector<CertificatePem>& pems,
                                                        TicketKeys& tickets, std::string& error);
  ~ContextGeneration();
  ContextGeneration(const ContextGeneration&) = delete;
  ContextGeneration& operator=(const ContextGeneration&) = delete;

  SSL_CTX* default_context() const { return contexts_.front(); }
  // The first context whose certificate is good for `name` (RFC 6066 3), else the default one.
  SSL_CTX* find(const char* name) const;

 private:
  ContextGeneration() = default;
  std::vector<SSL_CTX*> contexts_;
};

}  // namespace spliced::tls
