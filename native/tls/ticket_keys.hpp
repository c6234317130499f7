// SPDX-License-Identifier: Apache-2.0
// Keys of session tickets (RFC 5077 4, RFC 8446 4.6.1): the current one encrypts, its predecessor
// still decrypts. Both are generated here and kept only in memory. All generations of contexts
// share them, so that a new certificate does not end resumption; so do all engines, so that one
// accepts the tickets of another. For any thread: the lock is taken once or twice a handshake, to
// copy a key. `now_ms` may be earlier than that of a preceding call by another thread.
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
    ~Key();  // wipes it
    bool has_name(const uint8_t* other) const;
  };

  explicit TicketKeys(uint64_t now_ms);
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  // Makes this object encrypt and decrypt the context's tickets. It must outlive the context.
  void attach(SSL_CTX* context);
  Key encrypting(uint64_t now_ms);  // rotates after its period; not valid: no random bytes
  Key find(const uint8_t* name, uint64_t now_ms) const;  // not valid: unknown or too old

 private:
  void rotate(uint64_t now_ms);

  mutable std::mutex mutex_;
  Key current_, previous_;
};

}  // namespace spliced::tls
