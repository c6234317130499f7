// SPDX-License-Identifier: Apache-2.0
// See software_record.hpp.
#include "tls/software_record.hpp"

#include <linux/tls.h>
#include <openssl/evp.h>

#include <memory>

namespace spliced::tls {
namespace {

constexpr char kApplicationData = 23;
constexpr size_t kTagBytes = 16, kNonceBytes = 12;

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

const EVP_CIPHER* cipher_of(const CipherSpec& spec) {
  switch (spec.kernel_type) {
    case TLS_CIPHER_AES_GCM_128:
      return EVP_aes_128_gcm();
    case TLS_CIPHER_AES_GCM_256:
      return EVP_aes_256_gcm();
    default:
      return EVP_chacha20_poly1305();
  }
}

std::string big_endian(uint64_t value, size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = bytes; i-- > 0; value >>= 8) text[i] = static_cast<char>(value);
  return text;
}

std::string nonce_of(const CipherSpec& spec, const TrafficKeys& keys, uint64_t sequence,
                     uint64_t explicit_nonce) {
  std::string nonce(reinterpret_cast<const char*>(keys.iv), spec.fixed_iv_bytes);
  if (spec.explicit_iv_bytes > 0) return nonce + big_endian(explicit_nonce, spec.explicit_iv_bytes);
  const std::string number = big_endian(sequence, kNonceBytes);
  for (size_t i = 0; i < kNonceBytes; i++) nonce[i] = static_cast<char>(nonce[i] ^ number[i]);
  return nonce;
}

const unsigned char* bytes_of(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

bool seal_in_software(const CipherSpec& spec, const TrafficKeys& keys, uint64_t sequence,
                      uint64_t explicit_nonce, std::string_view plaintext, SoftwareRecord& out) {
  const bool tls13 = spec.version == Version::Tls13;
  std::string inner(plaintext);
  if (tls13) inner += kApplicationData;
  const std::string version{3, 3};
  const std::string shown = big_endian(explicit_nonce, spec.explicit_iv_bytes);
  const std::string header = std::string(1, kApplicationData) + version +
                             big_endian(shown.size() + inner.size() + kTagBytes, 2);
  out.additional = tls13 ? header
                         : big_endian(sequence, 8) + std::string(1, kApplicationData) + version +
                               big_endian(inner.size(), 2);
  out.nonce = nonce_of(spec, keys, sequence, explicit_nonce);
  std::string sealed(inner.size() + kTagBytes, '\0');
  auto* to = reinterpret_cast<unsigned char*>(sealed.data());
  std::unique_ptr<EVP_CIPHER_CTX, FreeContext> context(EVP_CIPHER_CTX_new());
  int bytes = 0;
  const bool ok =
      context &&
      EVP_EncryptInit_ex(context.get(), cipher_of(spec), nullptr, keys.key, bytes_of(out.nonce)) ==
          1 &&
      EVP_EncryptUpdate(context.get(), nullptr, &bytes, bytes_of(out.additional),
                        static_cast<int>(out.additional.size())) == 1 &&
      EVP_EncryptUpdate(context.get(), to, &bytes, bytes_of(inner),
                        static_cast<int>(inner.size())) == 1 &&
      EVP_EncryptFinal_ex(context.get(), to + bytes, &bytes) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, to + inner.size()) == 1;
  out.wire = header + shown + sealed;
  return ok;
}

}  // namespace spliced::tls
