// SPDX-License-Identifier: Apache-2.0
// Whom we believe to be which client: the CA certificates and revocation lists of one generation of
// contexts, and how OpenSSL is to verify with them (RFC 5280 6). Immutable. Read from PEM texts on
// the Node thread; the contexts of the generation call it during handshakes.
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
  std::string ca;           // one or more CA certificates; empty: clients are not asked for one
  std::string crl;          // revocation lists of every one of them; empty: nothing is revoked
  bool check_times = true;  // false while the clock is known to be wrong
};

// Why a client's certificate was not accepted, as the status page names it.
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

// Differs whenever a certificate might be judged differently; all zero where none is asked for.
using TrustId = std::array<uint8_t, 32>;

class ClientTrust {
 public:
  // Null, with one clear sentence in `error`, when the texts cannot be used. `pem.ca` is not empty.
  static std::shared_ptr<const ClientTrust> read(const ClientTrustPem& pem, std::string& error);
  ~ClientTrust();
  ClientTrust(const ClientTrust&) = delete;
  ClientTrust& operator=(const ClientTrust&) = delete;

  // Makes the context ask for a certificate and judge it. This object must outlive the context.
  bool attach(SSL_CTX* context) const;
  // What the judgement of a failed handshake was.
  static ClientRefusal refusal_of(const SSL* ssl);

  const TrustId& id() const { return id_; }
  size_t authorities() const { return authorities_; }
  size_t revocation_lists() const { return revocation_lists_; }
  // Seconds since the epoch when the first CA certificate ends, and when the first CA is without a
  // list that is in date; INT64_MAX: never.
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
