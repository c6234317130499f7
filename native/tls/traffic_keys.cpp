// SPDX-License-Identifier: Apache-2.0
// See traffic_keys.hpp.
#include "tls/traffic_keys.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <cstring>
#include <initializer_list>
#include <memory>

#include "base/assert.hpp"

namespace spliced::tls {
namespace {

constexpr size_t kRandomBytes = 32;
constexpr size_t kMasterSecretBytes = 48;
constexpr size_t kHashBytesMax = 48;

// HKDF-Expand-Label with an empty context. No output here is longer than the hash, so HKDF-Expand
// (RFC 5869 2.3) is its first block: HMAC(secret, info | 0x01).
bool expand_label(const CipherSpec& spec, const uint8_t* secret, const char* label, uint8_t* out,
                  size_t out_bytes) {
  const size_t hash_bytes = spec.sha384 ? 48 : 32;
  const size_t label_bytes = std::strlen(label);
  SPLICED_ASSERT(out_bytes <= hash_bytes && label_bytes <= 12);
  uint8_t info[2 + 1 + 6 + 12 + 1 + 1];
  size_t n = 0;
  info[n++] = 0;
  info[n++] = static_cast<uint8_t>(out_bytes);
  info[n++] = static_cast<uint8_t>(6 + label_bytes);
  std::memcpy(info + n, "tls13 ", 6);
  n += 6;
  std::memcpy(info + n, label, label_bytes);
  n += label_bytes;
  info[n++] = 0;  // empty context
  info[n++] = 1;  // block counter
  uint8_t block[kHashBytesMax];
  unsigned block_bytes = 0;
  const EVP_MD* hash = spec.sha384 ? EVP_sha384() : EVP_sha256();
  const bool ok =
      HMAC(hash, secret, static_cast<int>(hash_bytes), info, n, block, &block_bytes) != nullptr;
  if (ok) std::memcpy(out, block, out_bytes);
  OPENSSL_cleanse(block, sizeof block);
  return ok;
}

struct FreeKdf {
  void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};

// PRF(master_secret, "key expansion", server_random + client_random), RFC 5246 6.3.
bool key_block(const CipherSpec& spec, const MasterSecret& master, uint8_t* out, size_t bytes) {
  static constexpr char kLabel[] = "key expansion";
  uint8_t seed[sizeof kLabel - 1 + 2 * kRandomBytes];
  std::memcpy(seed, kLabel, sizeof kLabel - 1);
  std::memcpy(seed + sizeof kLabel - 1, master.server_random, kRandomBytes);
  std::memcpy(seed + sizeof kLabel - 1 + kRandomBytes, master.client_random, kRandomBytes);
  std::unique_ptr<EVP_KDF, FreeKdf> kdf(EVP_KDF_fetch(nullptr, "TLS1-PRF", nullptr));
  std::unique_ptr<EVP_KDF_CTX, FreeKdf> context(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
  if (!context) return false;
  char hash[] = "SHA256";
  if (spec.sha384) std::memcpy(hash, "SHA384", sizeof hash);
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, const_cast<uint8_t*>(master.secret),
                                        kMasterSecretBytes),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof seed),
      OSSL_PARAM_construct_end(),
  };
  return EVP_KDF_derive(context.get(), out, bytes, params) == 1;
}

}  // namespace

TrafficKeys::~TrafficKeys() {
  OPENSSL_cleanse(this, sizeof *this);
}

bool derive_tls13(const CipherSpec& spec, const uint8_t* secret, TrafficKeys& out) {
  return expand_label(spec, secret, "key", out.key, spec.key_bytes) &&
         expand_label(spec, secret, "iv", out.iv, spec.fixed_iv_bytes);
}

bool update_tls13(const CipherSpec& spec, uint8_t* secret) {
  return expand_label(spec, secret, "traffic upd", secret, spec.sha384 ? 48 : 32);
}

bool derive_tls12(const CipherSpec& spec, const MasterSecret& master, TrafficKeys& client,
                  TrafficKeys& server) {
  uint8_t block[2 * (32 + 12)];
  const size_t bytes = 2u * (spec.key_bytes + spec.fixed_iv_bytes);
  const bool ok = key_block(spec, master, block, bytes);
  if (ok) {
    const uint8_t* from = block;
    for (TrafficKeys* side : {&client, &server}) {
      std::memcpy(side->key, from, spec.key_bytes);
      from += spec.key_bytes;
    }
    for (TrafficKeys* side : {&client, &server}) {
      std::memcpy(side->iv, from, spec.fixed_iv_bytes);
      from += spec.fixed_iv_bytes;
    }
  }
  OPENSSL_cleanse(block, sizeof block);
  return ok;
}

}  // namespace spliced::tls
