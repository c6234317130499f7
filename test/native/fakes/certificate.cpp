// SPDX-License-Identifier: Apache-2.0
// See certificate.hpp.
#include "fakes/certificate.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

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

tls::CertificatePem new_certificate(const char* name) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* made = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(made), 0);
  X509_gmtime_adj(X509_getm_notAfter(made), 3600);
  X509_set_pubkey(made, key);
  if (name != nullptr) {
    const std::string names = std::string("DNS:") + name;
    X509_EXTENSION* extension =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
    REQUIRE(extension != nullptr);
    X509_set_version(made, X509_VERSION_3);
    X509_add_ext(made, extension, -1);
    X509_EXTENSION_free(extension);
  }
  REQUIRE(X509_sign(made, key, EVP_sha256()) > 0);
  BIO *chain = BIO_new(BIO_s_mem()), *secret = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(chain, made);
  PEM_write_bio_PrivateKey(secret, key, nullptr, nullptr, 0, nullptr, nullptr);
  X509_free(made);
  EVP_PKEY_free(key);
  return {text_of(chain), text_of(secret)};
}

}  // namespace spliced::fakes
