// SPDX-License-Identifier: Apache-2.0
// What a TLS 1.3 connection with kernel TLS needs for its next keys: its application traffic
// secrets (RFC 8446 7.1). Kept only if the kernel accepts new keys (Linux 6.14 and later). One
// object for each connection, used on the engine's thread alone; wiped by its destructor.
#pragma once
#include <cstddef>
#include <cstdint>

#include "tls/cipher.hpp"
#include "tls/ktls.hpp"

namespace spliced::tls {

class TrafficSecrets {
 public:
  static constexpr size_t kBytesMax = 48;

  // Each of the length of the suite's hash, in a buffer of kBytesMax.
  TrafficSecrets(const uint8_t* transmit, const uint8_t* receive);
  ~TrafficSecrets();
  TrafficSecrets(const TrafficSecrets&) = delete;
  TrafficSecrets& operator=(const TrafficSecrets&) = delete;

  // Gives the kernel the next keys of one direction (RFC 8446 7.2), whose first record is number 0.
  // The cipher must not have a record of ours at that time: an asynchronous one would encrypt it
  // under the new key (net/tls/tls_sw.c: tls_set_sw_offload has one cipher object for both).
  // Returns 0, or an errno, after which nothing has changed.
  int update(int socket, ktls::Direction direction, const CipherSpec& spec);

 private:
  uint8_t transmit_[kBytesMax], receive_[kBytesMax];
};

}  // namespace spliced::tls
