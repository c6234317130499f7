// SPDX-License-Identifier: Apache-2.0
// Verification of client certificates: the CA certificates and revocation lists of one generation
// of contexts, and OpenSSL's settings for them (RFC 5280 6). Immutable. Read from PEM texts on the
// Node thread. The contexts of the generation call it during handshakes.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_session_st SSL_SESSION;
typedef struct x509_store_st X509_STORE;
typedef struct x509_store_ctx_st X509_STORE_CTX;

namespace spliced::tls {

struct ClientTrustPem {
  std::string ca;   // one or more CA certificates; empty: no client certificate is requested
  std::string crl;  // a revocation list of each of these CAs; empty: nothing is revoked
  bool check_times = true;  // false while the clock is known to be wrong
};

// Why a client's certificate was refused, by the status document's names.
enum class ClientRefusal : uint8_t {
  UnknownCa,
  Expired,
  NotYetValid,
  Revoked,
  WrongPurpose,
  WeakKey,
  ChainTooLong,
  CrlMissing,
  CrlOutOfDate,
  Name,
  Other,
};
inline constexpr size_t kClientRefusals = 11;
extern const char* const kClientRefusalNames[kClientRefusals];

// Differs whenever a certificate might be judged differently. All zero if none is requested.
using TrustId = std::array<uint8_t, 32>;

class ClientTrust {
 public:
  // Null if the texts cannot be used; `error` is then one sentence. `pem.ca` is not empty.
  static std::shared_ptr<const ClientTrust> read(const ClientTrustPem& pem, std::string& error);
  ~ClientTrust();
  ClientTrust(const ClientTrust&) = delete;
  ClientTrust& operator=(const ClientTrust&) = delete;

  // Makes the context request a certificate and verify it. This object must outlive the context.
  bool attach(SSL_CTX* context) const;
  // Why the verification in a failed handshake refused the certificate.
  static ClientRefusal refusal_of(const SSL* ssl);

  const TrustId& id() const { return id_; }
  size_t authorities() const { return authorities_; }
  size_t revocation_lists() const { return revocation_lists_; }
  // Seconds since the epoch at which the first CA certificate expires, and at which the first CA
  // has no current revocation list. INT64_MAX: never.
  int64_t first_not_after_s() const { return first_not_after_s_; }
  int64_t first_next_update_s() const { return first_next_update_s_; }

 private:
  ClientTrust() = default;
  bool take_authorities(const std::string& pem, std::string& error);
  bool take_revocation_lists(const std::string& pem, std::string& error);
  bool require_whole_chains(std::string& error) const;
  bool require_lists_of_all(std::string& error);
  bool compute_id(bool check_times);
  bool still_holds(const SSL_SESSION* session) const;
  static int on_verify(int ok, X509_STORE_CTX* verification);
  static int on_ticket(SSL* ssl, SSL_SESSION* session, const unsigned char* name, size_t name_bytes,
                       int status, void* self);

  struct Parsed;
  X509_STORE* store_ = nullptr;
  std::unique_ptr<Parsed> parsed_;
  TrustId id_{};
  size_t authorities_ = 0, revocation_lists_ = 0;
  int64_t first_not_after_s_ = INT64_MAX, first_next_update_s_ = INT64_MAX;
  bool check_times_ = true;
};

}  // namespace spliced::tls
