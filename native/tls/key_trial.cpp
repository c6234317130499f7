// SPDX-License-Identifier: Apache-2.0
// See try_key() in signing.hpp.
#include <openssl/err.h>
#include <openssl/evp.h>

#include "tls/pem.hpp"
#include "tls/signing.hpp"

namespace spliced::tls {

Signature try_key(EVP_PKEY* key, std::string& reason) {
  static constexpr unsigned char kText[] = "spliced asks whether this key signs";
  ERR_clear_error();
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  const bool has_digest = EVP_PKEY_is_a(key, "ED25519") != 1 && EVP_PKEY_is_a(key, "ED448") != 1;
  size_t bytes = 0;
  unsigned char signature[1024];  // RSA of 8192 bits
  bool signs = context != nullptr &&
               EVP_DigestSignInit_ex(context, nullptr, has_digest ? "SHA256" : nullptr, nullptr,
                                     nullptr, key, nullptr) == 1 &&
               EVP_DigestSign(context, nullptr, &bytes, kText, sizeof kText) == 1 &&
               bytes <= sizeof signature;
  bytes = sizeof signature;
  signs = signs && EVP_DigestSign(context, signature, &bytes, kText, sizeof kText) == 1;
  reason = signs ? "" : openssl_first_reason();
  ERR_clear_error();
  EVP_MD_CTX_free(context);
  return signs ? Signature::Made : Signature::Failed;
}

}  // namespace spliced::tls
