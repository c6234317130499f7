// SPDX-License-Identifier: Apache-2.0
// What a TLS 1.3 connection that the kernel encrypts needs for its next keys: its application
// traffic secrets (RFC 8446 7.1). Only where the kernel takes new keys (Linux 6.14 and later). One
// object a connection, used on the engine's thread alone; wiped when it goes away.
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
  // No record of ours may be with the cipher: an asynchronous one would encrypt it under the new
  // key (net/tls/tls_sw.c: tls_set_sw_offload has one cipher object for both). 0 or an errno; then
  // nothing has changed.
  int update(int socket, ktls::Direction direction, const CipherSpec& spec);

 private:
  uint8_t transmit_[kBytesMax], receive_[kBytesMax];
};

}  // namespace spliced::tls
