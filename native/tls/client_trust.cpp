// SPDX-License-Identifier: Apache-2.0
// See client_trust.hpp. The choices of the verification are in attach().
#include "tls/client_trust.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <vector>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "tls/client_identity.hpp"
#include "tls/pem.hpp"
#include "tls/session.hpp"

namespace spliced::tls {
namespace {

struct Row {
  int result;  // X509_V_ERR_*
  ClientRefusal refusal;
};

constexpr Row kRefusals[] = {
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, ClientRefusal::UnknownCa},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, ClientRefusal::UnknownCa},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, ClientRefusal::UnknownCa},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, ClientRefusal::UnknownCa},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, ClientRefusal::UnknownCa},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, ClientRefusal::UnknownCa},
    {X509_V_ERR_CERT_HAS_EXPIRED, ClientRefusal::Expired},
    {X509_V_ERR_CERT_NOT_YET_VALID, ClientRefusal::NotYetValid},
    {X509_V_ERR_CERT_REVOKED, ClientRefusal::Revoked},
    {X509_V_ERR_INVALID_PURPOSE, ClientRefusal::WrongPurpose},
    {X509_V_ERR_EE_KEY_TOO_SMALL, ClientRefusal::WeakKey},
    {X509_V_ERR_CA_KEY_TOO_SMALL, ClientRefusal::WeakKey},
    {X509_V_ERR_CA_MD_TOO_WEAK, ClientRefusal::WeakKey},
    {X509_V_ERR_CERT_CHAIN_TOO_LONG, ClientRefusal::ChainTooLong},
    {X509_V_ERR_UNABLE_TO_GET_CRL, ClientRefusal::CrlMissing},
    {X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER, ClientRefusal::CrlMissing},
    {X509_V_ERR_CRL_HAS_EXPIRED, ClientRefusal::CrlOutOfDate},
    {X509_V_ERR_CRL_NOT_YET_VALID, ClientRefusal::CrlOutOfDate},
    {X509_V_ERR_CERT_REJECTED, ClientRefusal::Name},  // our own verdict: on_verify()
};

std::string quoted_name(const X509_NAME* name) {
  return "\"" + distinguished_name(name).substr(0, ClientIdentity::kSubjectBytesMax) + "\"";
}

// Adds an item to the digest of the settings. DER is self-delimiting.
template <class Item, class Encode>
bool digest_der(EVP_MD_CTX* digest, Item* item, Encode encode) {
  unsigned char* der = nullptr;
  const int bytes = encode(item, &der);
  const bool ok = bytes > 0 && EVP_DigestUpdate(digest, der, static_cast<size_t>(bytes)) == 1;
  OPENSSL_free(der);
  return ok;
}

}  // namespace

struct ClientTrust::Parsed {
  std::vector<std::unique_ptr<X509, Free>> authorities;
  std::vector<std::unique_ptr<X509_CRL, Free>> lists;

  X509* issuer_of(const X509_CRL* list) const {
    for (const auto& ca : authorities)
      if (X509_NAME_cmp(X509_get_subject_name(ca.get()), X509_CRL_get_issuer(list)) == 0 &&
          X509_CRL_verify(const_cast<X509_CRL*>(list), X509_get0_pubkey(ca.get())) == 1)
        return ca.get();
    ERR_clear_error();
    return nullptr;
  }
};

std::shared_ptr<const ClientTrust> ClientTrust::read(const ClientTrustPem& pem,
                                                     std::string& error) {
  std::shared_ptr<ClientTrust> trust(new ClientTrust());
  trust->parsed_ = std::make_unique<Parsed>();
  trust->check_times_ = pem.check_times;
  trust->store_ = X509_STORE_new();
  if (trust->store_ == nullptr) {
    error = "cannot make a store for CA certificates: out of memory";
    return nullptr;
  }
  if (!trust->take_authorities(pem.ca, error) || !trust->require_whole_chains(error))
    return nullptr;
  if (!pem.crl.empty() &&
      (!trust->take_revocation_lists(pem.crl, error) || !trust->require_lists_of_all(error)))
    return nullptr;
  if (!trust->compute_id(pem.check_times)) {
    error = "cannot compute a digest of the CA certificates: " + openssl_reason();
    return nullptr;
  }
  return trust;
}

ClientTrust::~ClientTrust() {
  X509_STORE_free(store_);
}

bool ClientTrust::take_authorities(const std::string& pem, std::string& error) {
  auto bio = pem_reader(pem);
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, nullptr)) {
    std::unique_ptr<X509, Free> ca(next);
    if (++authorities_ > limits::kClientAuthoritiesMax) {
      error = "the CA file has more than " + std::to_string(limits::kClientAuthoritiesMax) +
              " certificates";
      return false;
    }
    if (X509_check_ca(ca.get()) == 0) {
      error = "the CA file holds " + quoted_name(X509_get_subject_name(ca.get())) +
              ", which is no CA certificate: give the certificate of who signs the clients'";
      return false;
    }
    if (X509_STORE_add_cert(store_, ca.get()) != 1) {
      error = "a CA certificate cannot be used: " + openssl_reason();
      return false;
    }
    first_not_after_s_ = std::min(first_not_after_s_, seconds_of(X509_get0_notAfter(ca.get())));
    parsed_->authorities.push_back(std::move(ca));
  }
  if (!end_of_pem()) {
    error = "the CA file has a broken certificate after " + std::to_string(authorities_) +
            " good ones: " + openssl_reason();
    return false;
  }
  if (authorities_ == 0) error = "the CA file holds no certificate in PEM form";
  return authorities_ > 0;
}

bool ClientTrust::take_revocation_lists(const std::string& pem, std::string& error) {
  auto bio = pem_reader(pem);
  while (X509_CRL* next = PEM_read_bio_X509_CRL(bio.get(), nullptr, no_pass_phrase, nullptr)) {
    std::unique_ptr<X509_CRL, Free> list(next);
    if (++revocation_lists_ > limits::kClientAuthoritiesMax) {
      error = "the CRL file has more than " + std::to_string(limits::kClientAuthoritiesMax) +
              " revocation lists";
      return false;
    }
    const X509* issuer = parsed_->issuer_of(list.get());
    if (issuer == nullptr) {
      error = "the CRL file holds a list of " + quoted_name(X509_CRL_get_issuer(list.get())) +
              ", which no certificate of the CA file has signed";
      return false;
    }
    if ((X509_get_key_usage(const_cast<X509*>(issuer)) & KU_CRL_SIGN) == 0) {
      error = "the certificate of " + quoted_name(X509_get_subject_name(issuer)) +
              " is not allowed to sign revocation lists (its key usage has no cRLSign)";
      return false;
    }
    if (X509_STORE_add_crl(store_, list.get()) != 1) {
      error = "a revocation list cannot be used: " + openssl_reason();
      return false;
    }
    parsed_->lists.push_back(std::move(list));
  }
  if (!end_of_pem()) {
    error = "the CRL file has a broken revocation list after " + std::to_string(revocation_lists_) +
            " good ones: " + openssl_reason();
    return false;
  }
  if (revocation_lists_ == 0) error = "the CRL file holds no revocation list in PEM form";
  return revocation_lists_ > 0;
}

// A chain must end in a self-signed certificate of the bundle (no X509_V_FLAG_PARTIAL_CHAIN). An
// intermediate CA alone would accept no client, so it is an error now, not at every handshake.
bool ClientTrust::require_whole_chains(std::string& error) const {
  for (const auto& ca : parsed_->authorities) {
    const bool whole = std::any_of(
        parsed_->authorities.begin(), parsed_->authorities.end(), [&](const auto& issuer) {
          return X509_check_issued(issuer.get(), ca.get()) == X509_V_OK &&
                 X509_verify(ca.get(), X509_get0_pubkey(issuer.get())) == 1;
        });
    ERR_clear_error();
    if (whole) continue;
    error = "the CA file holds " + quoted_name(X509_get_subject_name(ca.get())) +
            " without its issuer " + quoted_name(X509_get_issuer_name(ca.get())) +
            ": add the certificates up to the self-signed root";
    return false;
  }
  return true;
}

// OpenSSL checks the lists of the whole chain, so all clients of a CA without a list would be
// refused. Of several lists of one CA the newest counts.
bool ClientTrust::require_lists_of_all(std::string& error) {
  first_next_update_s_ = INT64_MAX;
  for (const auto& ca : parsed_->authorities) {
    const X509_NAME* name = X509_get_subject_name(ca.get());
    int64_t until_s = INT64_MIN;
    for (const auto& list : parsed_->lists)
      if (X509_NAME_cmp(X509_CRL_get_issuer(list.get()), name) == 0)
        until_s = std::max(until_s, seconds_of(X509_CRL_get0_nextUpdate(list.get())));
    if (until_s == INT64_MIN) {
      error = "the CRL file has no list of " + quoted_name(name) +
              ": every certificate of the CA file needs one";
      return false;
    }
    first_next_update_s_ = std::min(first_next_update_s_, until_s);
  }
  return true;
}

bool ClientTrust::compute_id(bool check_times) {
  EVP_MD_CTX* digest = EVP_MD_CTX_new();
  const unsigned char options = check_times ? 1 : 0;
  bool ok = digest != nullptr && EVP_DigestInit_ex(digest, EVP_sha256(), nullptr) == 1 &&
            EVP_DigestUpdate(digest, &options, 1) == 1;
  for (const auto& ca : parsed_->authorities) ok = ok && digest_der(digest, ca.get(), i2d_X509);
  for (const auto& list : parsed_->lists) ok = ok && digest_der(digest, list.get(), i2d_X509_CRL);
  unsigned int bytes = 0;
  ok = ok && EVP_DigestFinal_ex(digest, id_.data(), &bytes) == 1 && bytes == id_.size();
  EVP_MD_CTX_free(digest);
  return ok;
}

bool ClientTrust::attach(SSL_CTX* context) const {
  // A certificate is requested but not required (no SSL_VERIFY_FAIL_IF_NO_PEER_CERT): the access
  // rule decides by path.
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_verify);
  // OpenSSL itself sets the purpose: TLS client authentication, for the leaf and its CAs.
  X509_VERIFY_PARAM* parameters = SSL_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_depth(parameters, limits::kClientChainDepthMax);
  // 112 bits: RSA of 2048 bits, signatures with SHA-2. Not X509_STRICT, which refuses the small
  // certificates that the openssl command line makes without key identifiers.
  X509_VERIFY_PARAM_set_auth_level(parameters, 2);
  unsigned long flags = 0;
  if (revocation_lists_ > 0) flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
  if (!check_times_) flags |= X509_V_FLAG_NO_CHECK_TIME;
  if (flags != 0 && X509_VERIFY_PARAM_set_flags(parameters, flags) != 1) return false;
  SSL_CTX_set_max_cert_list(context, limits::kClientCertificatesBytesMax);
  // A session belongs to the trust with which it was made. After a CA or a revocation list has
  // changed it is not resumed (OpenSSL compares the contexts, ssl_sess.c), and the client sends its
  // certificate again.
  if (SSL_CTX_set_session_id_context(context, id_.data(), static_cast<unsigned>(id_.size())) != 1)
    return false;
  if (SSL_CTX_set_session_ticket_cb(context, nullptr, on_ticket, const_cast<ClientTrust*>(this)) !=
      1)
    return false;
  for (const auto& ca : parsed_->authorities)
    if (SSL_CTX_add_client_CA(context, ca.get()) != 1) return false;
  return SSL_CTX_set1_verify_cert_store(context, store_) == 1;
}

ClientRefusal ClientTrust::refusal_of(const SSL* ssl) {
  const long result = SSL_get_verify_result(ssl);
  for (const Row& row : kRefusals)
    if (row.result == result) return row.refusal;
  return ClientRefusal::Other;
}

// Adds one rule to OpenSSL's verdict: a leaf that identify() cannot describe is refused, with the
// alert bad_certificate. Notes what was refused, for the log.
int ClientTrust::on_verify(int ok, X509_STORE_CTX* verification) {
  if (ok == 1) {
    if (X509_STORE_CTX_get_error_depth(verification) != 0) return 1;
    ClientIdentity identity;
    if (identify(X509_STORE_CTX_get_current_cert(verification), identity)) return 1;
    X509_STORE_CTX_set_error(verification, X509_V_ERR_CERT_REJECTED);
  }
  const auto* ssl = static_cast<const SSL*>(
      X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()));
  if (ssl != nullptr) Session::on_refused(ssl, X509_STORE_CTX_get0_cert(verification));
  return 0;
}

// A session outlives its handshake by up to a day, so the certificates must still be valid.
bool ClientTrust::still_holds(const SSL_SESSION* session) const {
  const X509* leaf = SSL_SESSION_get0_peer(const_cast<SSL_SESSION*>(session));
  if (leaf == nullptr || !check_times_) return true;
  const int64_t now_s = base::wall_s();
  return now_s <= seconds_of(X509_get0_notAfter(leaf)) &&
         now_s >= seconds_of(X509_get0_notBefore(leaf)) && now_s <= first_next_update_s_;
}

// SSL_CTX_set_session_ticket_cb(3). If a ticket is not used, a full handshake follows, which judges
// the certificate again and refuses it with the right alert.
int ClientTrust::on_ticket(SSL*, SSL_SESSION* session, const unsigned char*, size_t, int status,
                           void* self) {
  const bool usable = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
  if (!usable || !static_cast<const ClientTrust*>(self)->still_holds(session))
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

}  // namespace spliced::tls
