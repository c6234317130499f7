// SPDX-License-Identifier: Apache-2.0
// Records that OpenSSL encrypts, independent of the kernel's drivers: the reference for them
// (experiment/cipher_check.hpp). RFC 8446 5.2 and 5.3, RFC 5246 6.2.3.3, RFC 5288 3, RFC 7905 2.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "tls/cipher.hpp"
#include "tls/traffic_keys.hpp"

namespace spliced::tls {

struct SoftwareRecord {
  std::string nonce, additional;  // the AEAD's inputs beside key and plaintext
  std::string wire;               // the whole record
};

// Encrypts application data, at most 16,384 bytes. `explicit_nonce` is for TLS 1.2 AES-GCM. False
// when OpenSSL is out of memory.
bool seal_in_software(const CipherSpec& spec, const TrafficKeys& keys, uint64_t sequence,
                      uint64_t explicit_nonce, std::string_view plaintext, SoftwareRecord& out);

}  // namespace spliced::tls
