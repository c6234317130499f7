// SPDX-License-Identifier: Apache-2.0
// See outgoing.hpp.
#include "tls/outgoing.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "tls/pem.hpp"
#include "tls/token_key.hpp"

namespace spliced::tls {
namespace {

bool add_anchors(X509_STORE* store, const std::string& pem) {
  auto bio = pem_reader(pem);
  int added = 0;
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, nullptr)) {
    const std::unique_ptr<X509, Free> anchor(next);
    if (X509_STORE_add_cert(store, anchor.get()) != 1) return false;
    added++;
  }
  return end_of_pem() && added > 0;
}

bool show_certificate(SSL_CTX* context, const std::string& pem, EVP_PKEY* key) {
  auto bio = pem_reader(pem);
  const std::unique_ptr<X509, Free> leaf(
      PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, nullptr));
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, key) != 1)
    return false;
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context, next) == 1) continue;
    X509_free(next);
    return false;
  }
  return end_of_pem();
}

// The name that is asked for, and the one that must answer: an address is in no server_name (RFC
// 6066 3).
bool expect_name(SSL* ssl, const std::string& name) {
  X509_VERIFY_PARAM* verify = SSL_get0_param(ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(verify, name.c_str()) == 1) return true;
  ERR_clear_error();
  return X509_VERIFY_PARAM_set1_host(verify, name.c_str(), 0) == 1 &&
         SSL_set_tlsext_host_name(ssl, name.c_str()) == 1;
}

std::string drain(BIO* bio) {
  char* bytes = nullptr;
  const long count = BIO_get_mem_data(bio, &bytes);
  std::string out(bytes, count > 0 ? static_cast<size_t>(count) : 0);
  (void)BIO_reset(bio);
  return out;
}

}  // namespace

bool Outgoing::prepare(const Peer& peer, std::string& error) {
  const KeyPtr key = referenced_key(peer.reference, error);
  if (!key) return false;
  context_ = SSL_CTX_new(TLS_client_method());
  if (context_ == nullptr || SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION) != 1) {
    error = "no TLS: " + openssl_reason();
    return false;
  }
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
  if (!add_anchors(SSL_CTX_get_cert_store(context_), peer.anchors)) {
    error = "the trust anchors cannot be used: " + openssl_reason();
    return false;
  }
  if (!show_certificate(context_, peer.chain, key.get())) {
    error = "the certificate cannot be shown with its key: " + openssl_reason();
    return false;
  }
  ssl_ = SSL_new(context_);
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  if (ssl_ == nullptr || in == nullptr || out == nullptr || !expect_name(ssl_, peer.name)) {
    BIO_free(in);
    BIO_free(out);
    error = "no TLS with " + peer.name + ": " + openssl_reason();
    return false;
  }
  BIO_set_mem_eof_return(in, -1);  // nothing is there, yet
  SSL_set_bio(ssl_, in, out);
  SSL_set_connect_state(ssl_);
  name_ = peer.name;
  return true;
}

std::unique_ptr<Outgoing> Outgoing::start(const Peer& peer, std::string& error) {
  ERR_clear_error();
  std::unique_ptr<Outgoing> made(new Outgoing());
  const bool ready = made->prepare(peer, error);
  ERR_clear_error();
  return ready ? std::move(made) : nullptr;
}

Outgoing::~Outgoing() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
}

std::string Outgoing::failure() const {
  const long verified = SSL_get_verify_result(ssl_);
  if (verified != X509_V_OK)
    return "the certificate of " + name_ +
           " is not to be trusted: " + X509_verify_cert_error_string(verified);
  return "TLS with " + name_ + " failed: " + openssl_first_reason();
}

// False, with `error`, when it cannot.
bool Outgoing::go_on(Step& step, std::string& error) {
  int result = SSL_do_handshake(ssl_);
  size_t bytes = 0;
  if (result == 1 && !unsent_.empty()) {
    result = SSL_write_ex(ssl_, unsent_.data(), unsent_.size(), &bytes);
    if (result == 1) unsent_.clear();
  }
  char buffer[16 * 1024];
  while (result == 1) {
    result = SSL_read_ex(ssl_, buffer, sizeof buffer, &bytes);
    if (result == 1) step.received.append(buffer, bytes);
  }
  step.established = SSL_is_init_finished(ssl_) == 1;
  const int reason = SSL_get_error(ssl_, result);
  step.ended = reason == SSL_ERROR_ZERO_RETURN;
  if (step.ended || reason == SSL_ERROR_WANT_READ) return true;
  error = failure();
  return false;
}

Outgoing::Step Outgoing::step(const std::string& from_network, const std::string& to_send,
                              std::string& error) {
  ERR_clear_error();
  Step step;
  unsent_ += to_send;
  const int count = static_cast<int>(from_network.size());
  if (count > 0 && BIO_write(SSL_get_rbio(ssl_), from_network.data(), count) != count)
    error = "no memory for what came from " + name_;
  else
    (void)go_on(step, error);
  step.to_network = drain(SSL_get_wbio(ssl_));
  ERR_clear_error();
  return step;
}

}  // namespace spliced::tls
