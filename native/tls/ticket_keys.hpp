// SPDX-License-Identifier: Apache-2.0
// Keys of session tickets (RFC 5077 4, RFC 8446 4.6.1): one that encrypts, one before it that still
// decrypts, both made and kept in memory alone. Shared by all generations of contexts, so that a
// new certificate does not end resumption, and by all engines, so that a ticket of one is good at
// another. Any thread: the lock is taken once or twice a handshake, to copy a key. `now_ms` may be
// earlier than another thread's that came before.
#pragma once
#include <cstddef>
#include <cstdint>
#include <mutex>

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

    Key() = default;
    Key(const Key&) = default;
    Key& operator=(const Key&) = default;
    ~Key();  // wipes
    bool has_name(const uint8_t* other) const;
  };

  explicit TicketKeys(uint64_t now_ms);
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  // Makes this object answer for the context's tickets; it must outlive the context.
  void attach(SSL_CTX* context);
  Key encrypting(uint64_t now_ms);  // rotates when its period is over; not valid: no randomness
  Key find(const uint8_t* name, uint64_t now_ms) const;  // not valid: it is none of ours any more

 private:
  void rotate(uint64_t now_ms);

  mutable std::mutex mutex_;
  Key current_, previous_;
};

}  // namespace spliced::tls
