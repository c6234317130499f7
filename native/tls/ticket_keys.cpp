// SPDX-License-Identifier: Apache-2.0
// See ticket_keys.hpp.
#include "tls/ticket_keys.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <cstring>
#include <initializer_list>

#include "base/limits.hpp"
#include "tls/session.hpp"

namespace spliced::tls {
namespace {

// Results of the callback, SSL_CTX_set_tlsext_ticket_key_evp_cb(3).
constexpr int kNoTicket = 0, kUseTicket = 1, kUseAndRenew = 2, kFatal = -1;

int context_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

bool set_mac(EVP_MAC_CTX* mac, const TicketKeys::Key& key) {
  char hash[] = "SHA256";
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<uint8_t*>(key.mac_key),
                                        sizeof key.mac_key),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, hash, 0),
      OSSL_PARAM_construct_end(),
  };
  return EVP_MAC_CTX_set_params(mac, params) == 1;
}

int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
              EVP_MAC_CTX* mac, int encrypt) {
  auto* keys = static_cast<TicketKeys*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_index()));
  if (keys == nullptr) return kFatal;
  const uint64_t now = Session::now_ms(ssl);
  const EVP_CIPHER* aes = EVP_aes_256_cbc();
  const TicketKeys::Key current = keys->encrypting(now);
  if (!current.valid) return kFatal;
  if (encrypt != 0) {
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(aes)) != 1) return kFatal;
    std::memcpy(name, current.name, TicketKeys::kNameBytes);
    const bool ok = EVP_EncryptInit_ex(cipher, aes, nullptr, current.cipher_key, iv) == 1 &&
                    set_mac(mac, current);
    return ok ? kUseTicket : kFatal;
  }
  const TicketKeys::Key key =
      Session::may_try_ticket(ssl) ? keys->find(name, now) : TicketKeys::Key{};
  if (!key.valid) return kNoTicket;
  if (!set_mac(mac, key) || EVP_DecryptInit_ex(cipher, aes, nullptr, key.cipher_key, iv) != 1)
    return kFatal;
  // A TLS 1.3 connection gets a fresh ticket in any case (session.cpp).
  const bool renew = !key.has_name(current.name) && SSL_version(ssl) < TLS1_3_VERSION;
  return renew ? kUseAndRenew : kUseTicket;
}

}  // namespace

TicketKeys::TicketKeys(uint64_t now_ms) {
  rotate(now_ms);
}

TicketKeys::Key::~Key() {
  OPENSSL_cleanse(this, sizeof *this);
}

bool TicketKeys::Key::has_name(const uint8_t* other) const {
  return CRYPTO_memcmp(name, other, kNameBytes) == 0;
}

void TicketKeys::attach(SSL_CTX* context) {
  SSL_CTX_set_ex_data(context, context_index(), this);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
}

void TicketKeys::rotate(uint64_t now_ms) {
  previous_ = current_;
  uint8_t fresh[sizeof current_.name + sizeof current_.cipher_key + sizeof current_.mac_key];
  current_.valid = RAND_bytes(fresh, sizeof fresh) == 1;
  const uint8_t* from = fresh;
  std::memcpy(current_.name, from, sizeof current_.name);
  std::memcpy(current_.cipher_key, from += sizeof current_.name, sizeof current_.cipher_key);
  std::memcpy(current_.mac_key, from += sizeof current_.cipher_key, sizeof current_.mac_key);
  current_.made_ms = now_ms;
  OPENSSL_cleanse(fresh, sizeof fresh);
}

TicketKeys::Key TicketKeys::encrypting(uint64_t now_ms) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!current_.valid || now_ms >= current_.made_ms + limits::kTicketKeyPeriodMs) rotate(now_ms);
  return current_;
}

TicketKeys::Key TicketKeys::find(const uint8_t* name, uint64_t now_ms) const {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const Key* key : {&current_, &previous_}) {
    const bool fresh = key->valid && now_ms < key->made_ms + 2 * limits::kTicketKeyPeriodMs;
    if (fresh && key->has_name(name)) return *key;
  }
  return {};
}

}  // namespace spliced::tls
