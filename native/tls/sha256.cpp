// SPDX-License-Identifier: Apache-2.0
// See sha256.hpp.
#include "tls/sha256.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>

namespace spliced::tls {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  bool good = context != nullptr && EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1;
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(new State()) {}

Sha256::~Sha256() {
  ERR_clear_error();
}

bool Sha256::update(const void* data, size_t bytes) {
  state_->good = state_->good && EVP_DigestUpdate(state_->context, data, bytes) == 1;
  return state_->good;
}

std::string Sha256::finish() {
  constexpr char kDigits[] = "0123456789abcdef";
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int bytes = 0;
  if (!state_->good || EVP_DigestFinal_ex(state_->context, digest, &bytes) != 1) return {};
  state_->good = false;
  std::string text;
  for (unsigned int i = 0; i < bytes; i++) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

}  // namespace spliced::tls
