// SPDX-License-Identifier: Apache-2.0
// Keys of session tickets (RFC 5077 4, RFC 8446 4.6.1): one that encrypts, one before it that still
// decrypts, both made and kept in memory alone. Shared by all generations of contexts, so that a
// new certificate does not end resumption. Used on the engine thread only.
#pragma once
#include <cstddef>
#include <cstdint>

typedef struct ssl_ctx_st SSL_CTX;

namespace spliced::tls {

class TicketKeys {
 public:
  static constexpr size_t kNameBytes = 16;
  struct Key {
    uint8_t name[kNameBytes] = {};
    uint8_t cipher_key[32] = {};
    uint8_t mac_key[32] = {};
    uint64_t made_ms = 0;
    bool valid = false;
  };

  explicit TicketKeys(uint64_t now_ms);
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;
  ~TicketKeys();

  // Makes this object answer for the context's tickets; it must outlive the context.
  void attach(SSL_CTX* context);
  const Key* encrypting(uint64_t now_ms);  // rotates when its period is over; null: no randomness
  const Key* find(const uint8_t* name, uint64_t now_ms) const;

 private:
  void rotate(uint64_t now_ms);
  Key current_, previous_;
};

}  // namespace spliced::tls
