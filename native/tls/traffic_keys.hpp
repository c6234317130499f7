// SPDX-License-Identifier: Apache-2.0
// Derives the keys of one direction from a connection's secrets: HKDF-Expand-Label for TLS 1.3 (RFC
// 8446 7.1, 7.3), the key block for TLS 1.2 (RFC 5246 6.3). Wiped by its destructor.
#pragma once
#include <cstddef>
#include <cstdint>

#include "tls/cipher.hpp"

namespace spliced::tls {

struct TrafficKeys {
  uint8_t key[32] = {};
  uint8_t iv[12] = {};  // TLS 1.2 AES-GCM: 4 fixed bytes, then the next explicit nonce
  uint64_t sequence = 0;

  TrafficKeys() = default;
  TrafficKeys(const TrafficKeys&) = delete;
  TrafficKeys& operator=(const TrafficKeys&) = delete;
  ~TrafficKeys();
};

// `secret` has the length of the suite's hash (32 or 48 bytes).
bool derive_tls13(const CipherSpec& spec, const uint8_t* secret, TrafficKeys& out);

// Replaces the secret by that of the next keys: RFC 8446 7.2.
bool update_tls13(const CipherSpec& spec, uint8_t* secret);

struct MasterSecret {
  const uint8_t* secret;         // 48 bytes
  const uint8_t* client_random;  // 32 bytes
  const uint8_t* server_random;  // 32 bytes
};
// Fills key and fixed IV of both directions. The caller sets sequence and explicit nonce.
bool derive_tls12(const CipherSpec& spec, const MasterSecret& master, TrafficKeys& client,
                  TrafficKeys& server);

}  // namespace spliced::tls
