// SPDX-License-Identifier: Apache-2.0
// See ktls.hpp. The layouts are those of include/uapi/linux/tls.h. Every buffer that held a key is
// wiped, also the one of getsockopt.
#include "tls/ktls.hpp"

#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <sys/socket.h>

#include <cstring>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#ifndef TCP_ULP
#define TCP_ULP 31
#endif
#ifndef TLS_CIPHER_CHACHA20_POLY1305
#define TLS_CIPHER_CHACHA20_POLY1305 54
struct tls12_crypto_info_chacha20_poly1305 {
  struct tls_crypto_info info;
  unsigned char iv[12];
  unsigned char key[32];
  unsigned char salt[0];
  unsigned char rec_seq[8];
};
#endif

namespace spliced::tls::ktls {
namespace {

union CryptoInfo {
  tls_crypto_info info;
  tls12_crypto_info_aes_gcm_128 aes128;
  tls12_crypto_info_aes_gcm_256 aes256;
  tls12_crypto_info_chacha20_poly1305 chacha;

  CryptoInfo() { std::memset(this, 0, sizeof *this); }
  ~CryptoInfo() { OPENSSL_cleanse(this, sizeof *this); }
};

void store_be64(uint64_t value, unsigned char* out) {
  for (int i = 7; i >= 0; i--, value >>= 8) out[i] = static_cast<unsigned char>(value);
}

uint64_t load_be64(const unsigned char* from) {
  uint64_t value = 0;
  for (int i = 0; i < 8; i++) value = value << 8 | from[i];
  return value;
}

// AES-GCM: the salt is the first 4 bytes of the IV; the rest is the kernel's `iv` (TLS 1.2: the
// explicit nonce, which the kernel increments).
template <class Info>
socklen_t fill_gcm(Info& out, const TrafficKeys& keys) {
  std::memcpy(out.key, keys.key, sizeof out.key);
  std::memcpy(out.salt, keys.iv, sizeof out.salt);
  std::memcpy(out.iv, keys.iv + sizeof out.salt, sizeof out.iv);
  store_be64(keys.sequence, out.rec_seq);
  return sizeof out;
}

socklen_t fill(CryptoInfo& out, const CipherSpec& spec, const TrafficKeys& keys) {
  out.info.version = spec.version == Version::Tls13 ? TLS_1_3_VERSION : TLS_1_2_VERSION;
  out.info.cipher_type = spec.kernel_type;
  switch (spec.kernel_type) {
    case TLS_CIPHER_AES_GCM_128:
      return fill_gcm(out.aes128, keys);
    case TLS_CIPHER_AES_GCM_256:
      return fill_gcm(out.aes256, keys);
    default:
      std::memcpy(out.chacha.key, keys.key, sizeof out.chacha.key);
      std::memcpy(out.chacha.iv, keys.iv, sizeof out.chacha.iv);
      store_be64(keys.sequence, out.chacha.rec_seq);
      return sizeof out.chacha;
  }
}

int option_name(Direction direction) {
  return direction == Direction::Transmit ? TLS_TX : TLS_RX;
}

}  // namespace

int attach(int socket) {
  return ::setsockopt(socket, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls") == 0 ? 0 : errno;
}

int install(int socket, Direction direction, const CipherSpec& spec, const TrafficKeys& keys) {
  CryptoInfo info;
  const socklen_t length = fill(info, spec, keys);
  return ::setsockopt(socket, SOL_TLS, option_name(direction), &info, length) == 0 ? 0 : errno;
}

bool next_sequence(int socket, Direction direction, const CipherSpec& spec, uint64_t& out) {
  CryptoInfo info;
  const unsigned char* sequence = info.chacha.rec_seq;
  socklen_t length = sizeof info.chacha;
  if (spec.kernel_type == TLS_CIPHER_AES_GCM_128) {
    sequence = info.aes128.rec_seq;
    length = sizeof info.aes128;
  } else if (spec.kernel_type == TLS_CIPHER_AES_GCM_256) {
    sequence = info.aes256.rec_seq;
    length = sizeof info.aes256;
  }
  if (::getsockopt(socket, SOL_TLS, option_name(direction), &info, &length) != 0) return false;
  out = load_be64(sequence);
  return true;
}

}  // namespace spliced::tls::ktls
