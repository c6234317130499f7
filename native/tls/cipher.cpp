// SPDX-License-Identifier: Apache-2.0
// See cipher.hpp.
#include "tls/cipher.hpp"

#include <linux/tls.h>

#ifndef TLS_CIPHER_CHACHA20_POLY1305
#define TLS_CIPHER_CHACHA20_POLY1305 54
#endif

namespace spliced::tls {

const CipherSpec kCiphers[kCipherSpecs] = {
    {0x1301, Version::Tls13, "AES-128-GCM", TLS_CIPHER_AES_GCM_128, 16, 12, 0, false},
    {0x1302, Version::Tls13, "AES-256-GCM", TLS_CIPHER_AES_GCM_256, 32, 12, 0, true},
    {0x1303, Version::Tls13, "CHACHA20-POLY1305", TLS_CIPHER_CHACHA20_POLY1305, 32, 12, 0, false},
    {0xc02b, Version::Tls12, "AES-128-GCM", TLS_CIPHER_AES_GCM_128, 16, 4, 8, false},
    {0xc02f, Version::Tls12, "AES-128-GCM", TLS_CIPHER_AES_GCM_128, 16, 4, 8, false},
    {0xc02c, Version::Tls12, "AES-256-GCM", TLS_CIPHER_AES_GCM_256, 32, 4, 8, true},
    {0xc030, Version::Tls12, "AES-256-GCM", TLS_CIPHER_AES_GCM_256, 32, 4, 8, true},
    {0xcca9, Version::Tls12, "CHACHA20-POLY1305", TLS_CIPHER_CHACHA20_POLY1305, 32, 12, 0, false},
    {0xcca8, Version::Tls12, "CHACHA20-POLY1305", TLS_CIPHER_CHACHA20_POLY1305, 32, 12, 0, false},
};

const CipherSpec* find_cipher(uint16_t suite) {
  for (const CipherSpec& spec : kCiphers)
    if (spec.suite == suite) return &spec;
  return nullptr;
}

const char* version_name(Version version) {
  return version == Version::Tls13 ? "TLSv1.3" : "TLSv1.2";
}

}  // namespace spliced::tls
