// SPDX-License-Identifier: Apache-2.0
// The cipher suites that spliced negotiates, with the kernel's constants for them. One table for
// the contexts, the probe, the promotion and the ledger.
#pragma once
#include <cstddef>
#include <cstdint>

namespace spliced::tls {

enum class Version : uint8_t { Tls12, Tls13 };

struct CipherSpec {
  uint16_t suite;  // IANA TLS Cipher Suites registry
  Version version;
  const char* name;      // the AEAD's usual name
  uint16_t kernel_type;  // TLS_CIPHER_*, include/uapi/linux/tls.h
  uint8_t key_bytes;
  uint8_t fixed_iv_bytes;     // TLS 1.2: from the key block; TLS 1.3: the whole IV
  uint8_t explicit_iv_bytes;  // TLS 1.2 AES-GCM carries 8 in each record (RFC 5288 3)
  bool sha384;                // the hash of the key schedule, else SHA-256
  // Bytes of a record beyond its plaintext: header 5, tag 16, and in TLS 1.3 the content type (RFC
  // 8446 5.2), in TLS 1.2 AES-GCM the explicit nonce.
  constexpr uint32_t record_overhead_bytes() const {
    return 5 + 16 + (version == Version::Tls13 ? 1 : explicit_iv_bytes);
  }
};

inline constexpr size_t kCipherSpecs = 9;
extern const CipherSpec kCiphers[kCipherSpecs];

constexpr size_t index_of(const CipherSpec& spec) {
  return static_cast<size_t>(&spec - kCiphers);
}

const CipherSpec* find_cipher(uint16_t suite);
const char* version_name(Version version);

// In order of preference. AES-128-GCM is first because CAAM offloads it.
inline constexpr const char* kTls13Suites =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
inline constexpr const char* kTls12Suites =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

}  // namespace spliced::tls
