// SPDX-License-Identifier: Apache-2.0
// See certificate.hpp.
#include "fakes/certificate.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "doctest/doctest.h"

namespace spliced::fakes {
namespace {

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long bytes = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<size_t>(bytes));
  BIO_free(bio);
  return text;
}

}  // namespace

tls::CertificatePem new_certificate() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* made = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(made), 0);
  X509_gmtime_adj(X509_getm_notAfter(made), 3600);
  X509_set_pubkey(made, key);
  REQUIRE(X509_sign(made, key, EVP_sha256()) > 0);
  BIO *chain = BIO_new(BIO_s_mem()), *secret = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(chain, made);
  PEM_write_bio_PrivateKey(secret, key, nullptr, nullptr, 0, nullptr, nullptr);
  X509_free(made);
  EVP_PKEY_free(key);
  return {text_of(chain), text_of(secret)};
}

}  // namespace spliced::fakes
