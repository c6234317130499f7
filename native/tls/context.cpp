// SPDX-License-Identifier: Apache-2.0
// See context.hpp.
#include "tls/context.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <algorithm>

#include "base/limits.hpp"
#include "tls/certificate_pair.hpp"
#include "tls/cipher.hpp"
#include "tls/groups.hpp"
#include "tls/session.hpp"
#include "tls/token_key.hpp"

namespace spliced::tls {
namespace {

constexpr std::string_view kProtocols = "\x02h2\x08http/1.1\x08http/1.0";
constexpr size_t kHttp2Bytes = 3;  // the first of them

// A client whose ALPN has none of these protocols is refused (RFC 7301 3.2). Without ALPN it speaks
// HTTP/1.1. `spoken`: the part of kProtocols that is offered begins there.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_bytes,
                    const unsigned char* offered, unsigned int offered_bytes, void* spoken) {
  const auto* first = static_cast<const char*>(spoken);
  const auto bytes = static_cast<unsigned>(kProtocols.data() + kProtocols.size() - first);
  unsigned char* chosen = nullptr;
  const int result =
      SSL_select_next_proto(&chosen, out_bytes, reinterpret_cast<const unsigned char*>(first),
                            bytes, offered, offered_bytes);
  if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

int choose_by_name(SSL* ssl, int*, void* argument) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  static_cast<const ContextGeneration*>(argument)->choose(ssl, name);
  return SSL_TLSEXT_ERR_OK;
}

bool configure(SSL_CTX* context, const std::string& groups, bool http2) {
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Tickets alone: nothing is stored here.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_timeout(context, static_cast<long>(2 * limits::kTicketKeyPeriodMs / 1000));
  // No ticket during the handshake: session.cpp asks for one after it, and counts its record.
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_max_early_data(context, 0);
  const char* spoken = kProtocols.data() + (http2 ? 0 : kHttp2Bytes);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, const_cast<char*>(spoken));
  SSL_CTX_set_keylog_callback(context, &Session::on_keylog);
  static constexpr unsigned char kSessionContext[] = "spliced";
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_ciphersuites(context, kTls13Suites) == 1 &&
         SSL_CTX_set_cipher_list(context, kTls12Suites) == 1 &&
         SSL_CTX_set1_groups_list(context, groups.c_str()) == 1 &&
         SSL_CTX_set_session_id_context(context, kSessionContext, sizeof kSessionContext - 1) == 1;
}

}  // namespace

bool ContextGeneration::Pair::read_chain(const std::string& pem, std::string& error) {
  auto bio = pem_reader(pem);
  leaf.reset(PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, nullptr));
  if (!leaf || chain == nullptr) {
    error = "the certificate is not a PEM certificate that can be used: " + openssl_reason();
    return false;
  }
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, nullptr)) {
    if (sk_X509_push(chain, next) > 0) continue;
    X509_free(next);
    error = "a certificate of the chain cannot be used: out of memory";
    return false;
  }
  ERR_clear_error();  // the end of the file reads as an error
  return true;
}

bool ContextGeneration::Pair::read_key(const std::string& pem, std::string& error) {
  auto bio = pem_reader(pem);
  if (is_key_reference(pem)) {
    key = referenced_key(pem, error);
    if (!key) return false;
    EVP_PKEY_up_ref(key.get());
    remote = {health_of_key(pem), {key.get(), Free()}};
  } else {
    key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_pass_phrase, nullptr));
  }
  if (!key) {
    error = "the private key is not an unencrypted PEM key: " + openssl_reason();
    return false;
  }
  if (X509_check_private_key(leaf.get(), key.get()) != 1) {
    error = "the private key does not match the certificate: " + openssl_reason();
    return false;
  }
  return true;
}

// Adds a context with one pair to contexts_ and returns it; null with `error`.
SSL_CTX* ContextGeneration::add_context(const Pair& pair, TicketKeys& tickets, std::string& error) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  if (context != nullptr) contexts_.push_back(context);
  if (context == nullptr || !configure(context, groups_, http2_) || (trust_ && !trust_->attach(context))) {
    error = "cannot make a TLS context: " + openssl_reason();
    return nullptr;
  }
  tickets.attach(context);
  SSL_CTX_set_tlsext_servername_callback(context, choose_by_name);
  SSL_CTX_set_tlsext_servername_arg(context, this);
  SSL_CTX_set_cert_cb(context, &Session::on_certificate, this);
  if (SSL_CTX_use_cert_and_key(context, pair.leaf.get(), pair.key.get(), pair.chain, 1) != 1) {
    error = "the certificate or one of its chain cannot be used: " + openssl_reason();
    return nullptr;
  }
  return context;
}

// Adds one context for each pair, and one more for clients without a known name: the first pair,
// with those of other key types that share a name with it.
bool ContextGeneration::add_contexts(TicketKeys& tickets, std::string& error) {
  for (const auto& pair : *pairs_)
    if (add_context(*pair, tickets, error) == nullptr) return false;
  const Pair& first = *pairs_->front();
  if (add_context(first, tickets, error) == nullptr) return false;
  std::vector<int> taken = {first.key_type()};
  for (const auto& pair : *pairs_) {
    const bool is_new = std::find(taken.begin(), taken.end(), pair->key_type()) == taken.end() &&
                        pair->may_stand_beside(first) &&
                        share_a_name(first.leaf.get(), pair->leaf.get());
    if (!is_new) continue;
    taken.push_back(pair->key_type());
    if (SSL_CTX_use_cert_and_key(default_context(), pair->leaf.get(), pair->key.get(), pair->chain,
                                 1) != 1) {
      error = "two certificates cannot be served together: " + openssl_reason();
      return false;
    }
  }
  return true;
}

std::shared_ptr<const ContextGeneration> ContextGeneration::build(
    const std::vector<CertificatePem>& pems, Trust trust, TicketKeys& tickets, std::string& error,
    const std::vector<std::string>& groups, bool http2) {
  const GroupList known = groups.empty() ? default_groups() : known_groups(groups);
  if (known.used.empty()) {
    error = "OpenSSL has none of the groups for the key exchange";
    return nullptr;
  }
  auto pairs = std::make_shared<Pairs>();
  if (pems.empty()) {
    error = "no certificate was given";
    return nullptr;
  }
  for (const CertificatePem& pem : pems) {
    auto pair = std::make_unique<Pair>();
    pair->stands_alone = pem.stands_alone;
    if (!pair->read_chain(pem.chain, error) || !pair->read_key(pem.private_key, error))
      return nullptr;
    pairs->push_back(std::move(pair));
  }
  std::shared_ptr<ContextGeneration> generation(
      new ContextGeneration(std::move(pairs), std::move(trust), known.text(), http2));
  return generation->add_contexts(tickets, error) ? generation : nullptr;
}

std::shared_ptr<const ContextGeneration> ContextGeneration::with_trust(Trust trust,
                                                                       TicketKeys& tickets,
                                                                       std::string& error) const {
  std::shared_ptr<ContextGeneration> generation(
      new ContextGeneration(pairs_, std::move(trust), groups_, http2_));
  return generation->add_contexts(tickets, error) ? generation : nullptr;
}

TrustId ContextGeneration::trust_id() const {
  return trust_ ? trust_->id() : TrustId{};
}

ContextGeneration::~ContextGeneration() {
  for (SSL_CTX* context : contexts_) SSL_CTX_free(context);
}

}  // namespace spliced::tls
