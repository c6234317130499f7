// SPDX-License-Identifier: Apache-2.0
// See context.hpp.
#include "tls/context.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstring>

#include "base/limits.hpp"
#include "tls/cipher.hpp"
#include "tls/pem.hpp"
#include "tls/session.hpp"

namespace spliced::tls {
namespace {

bool use_chain(SSL_CTX* context, const std::string& pem, std::string& error) {
  auto bio = pem_reader(pem);
  std::unique_ptr<X509, Free> leaf(PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, nullptr));
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) {
    error = "the certificate is not a PEM certificate that can be used: " + openssl_reason();
    return false;
  }
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context, next) == 1) continue;
    X509_free(next);
    error = "a certificate of the chain cannot be used: " + openssl_reason();
    return false;
  }
  ERR_clear_error();  // the end of the file reads as an error
  return true;
}

bool use_key(SSL_CTX* context, const std::string& pem, std::string& error) {
  auto bio = pem_reader(pem);
  std::unique_ptr<EVP_PKEY, Free> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, no_pass_phrase, nullptr));
  if (!key) {
    error = "the private key is not an unencrypted PEM key: " + openssl_reason();
    return false;
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    error = "the private key does not match the certificate: " + openssl_reason();
    return false;
  }
  return true;
}

// HTTP/1.1 and 1.0 are what we speak today; HTTP/2 would be chosen here. A client that names
// protocols, and none of these, is refused (RFC 7301 3.2); one that names none is not asked.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_bytes,
                    const unsigned char* offered, unsigned int offered_bytes, void*) {
  static constexpr unsigned char kSpoken[] = "\x08http/1.1\x08http/1.0";
  unsigned char* chosen = nullptr;
  const int result = SSL_select_next_proto(&chosen, out_bytes, kSpoken, sizeof kSpoken - 1, offered,
                                           offered_bytes);
  if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

int choose_by_name(SSL* ssl, int*, void* argument) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  const auto* generation = static_cast<const ContextGeneration*>(argument);
  SSL_set_SSL_CTX(ssl, generation->find(name));
  return SSL_TLSEXT_ERR_OK;
}

bool configure(SSL_CTX* context) {
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // tickets only, nothing is stored
  SSL_CTX_set_timeout(context, static_cast<long>(2 * limits::kTicketKeyPeriodMs / 1000));
  // No ticket during the handshake: session.cpp asks for one after it, and counts its record.
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_max_early_data(context, 0);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  SSL_CTX_set_keylog_callback(context, &Session::on_keylog);
  static constexpr unsigned char kSessionContext[] = "spliced";
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_ciphersuites(context, kTls13Suites) == 1 &&
         SSL_CTX_set_cipher_list(context, kTls12Suites) == 1 &&
         SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1 &&
         SSL_CTX_set_session_id_context(context, kSessionContext, sizeof kSessionContext - 1) == 1;
}

}  // namespace

// A context of this generation without a certificate yet; null with `error`.
SSL_CTX* ContextGeneration::add_context(TicketKeys& tickets, std::string& error) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  if (context != nullptr) contexts_.push_back(context);
  if (context == nullptr || !configure(context) || (trust_ && !trust_->attach(context))) {
    error = "cannot make a TLS context: " + openssl_reason();
    return nullptr;
  }
  tickets.attach(context);
  SSL_CTX_set_tlsext_servername_callback(context, choose_by_name);
  SSL_CTX_set_tlsext_servername_arg(context, this);
  return context;
}

std::shared_ptr<const ContextGeneration> ContextGeneration::build(
    const std::vector<CertificatePem>& pems, Trust trust, TicketKeys& tickets, std::string& error) {
  std::shared_ptr<ContextGeneration> generation(new ContextGeneration(std::move(trust)));
  if (pems.empty()) error = "no certificate was given";
  for (const CertificatePem& pem : pems) {
    SSL_CTX* context = generation->add_context(tickets, error);
    if (context == nullptr || !use_chain(context, pem.chain, error) ||
        !use_key(context, pem.private_key, error))
      return nullptr;
  }
  if (generation->contexts_.empty()) return nullptr;
  return generation;
}

std::shared_ptr<const ContextGeneration> ContextGeneration::with_trust(Trust trust,
                                                                       TicketKeys& tickets,
                                                                       std::string& error) const {
  std::shared_ptr<ContextGeneration> generation(new ContextGeneration(std::move(trust)));
  for (SSL_CTX* from : contexts_) {
    SSL_CTX* context = generation->add_context(tickets, error);
    if (context == nullptr) return nullptr;
    STACK_OF(X509)* chain = nullptr;
    SSL_CTX_get0_chain_certs(from, &chain);
    if (SSL_CTX_use_certificate(context, SSL_CTX_get0_certificate(from)) != 1 ||
        SSL_CTX_use_PrivateKey(context, SSL_CTX_get0_privatekey(from)) != 1 ||
        SSL_CTX_set1_chain(context, chain) != 1) {
      error = "cannot take over a certificate: " + openssl_reason();
      return nullptr;
    }
  }
  return generation;
}

TrustId ContextGeneration::trust_id() const {
  return trust_ ? trust_->id() : TrustId{};
}

ContextGeneration::~ContextGeneration() {
  for (SSL_CTX* context : contexts_) SSL_CTX_free(context);
}

SSL_CTX* ContextGeneration::find(const char* name) const {
  for (SSL_CTX* context : contexts_) {
    X509* certificate = SSL_CTX_get0_certificate(context);
    if (X509_check_host(certificate, name, std::strlen(name), 0, nullptr) == 1) return context;
  }
  return default_context();
}

}  // namespace spliced::tls
