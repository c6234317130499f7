// SPDX-License-Identifier: Apache-2.0
// See key_use.hpp.
#include "tls/key_use.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "tls/token_key.hpp"

namespace spliced::tls {

std::string public_key_of(const std::string& uri, std::string& error) {
  const KeyPtr key = referenced_key(uri, error);
  if (!key) return "";
  unsigned char* der = nullptr;
  const int bytes = i2d_PUBKEY(key.get(), &der);
  std::string text;
  if (bytes > 0) text.assign(reinterpret_cast<const char*>(der), static_cast<size_t>(bytes));
  OPENSSL_free(der);
  if (text.empty()) error = "the token does not tell the public key: " + openssl_first_reason();
  ERR_clear_error();
  return text;
}

std::string sign_with_key(const std::string& uri, const std::string& digest,
                          const std::string& data, std::string& error) {
  const KeyPtr key = referenced_key(uri, error);
  if (!key) return "";
  ERR_clear_error();
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  const auto* text = reinterpret_cast<const unsigned char*>(data.data());
  size_t bytes = 1024;  // RSA of 8192 bits
  std::string signature(bytes, '\0');
  const bool signs = context != nullptr &&
                     EVP_DigestSignInit_ex(context, nullptr, digest.c_str(), nullptr, nullptr,
                                           key.get(), nullptr) == 1 &&
                     EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()),
                                    &bytes, text, data.size()) == 1;
  if (!signs) error = "the token does not sign: " + openssl_first_reason();
  ERR_clear_error();
  EVP_MD_CTX_free(context);
  signature.resize(signs ? bytes : 0);
  return signature;
}

}  // namespace spliced::tls
