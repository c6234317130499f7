// SPDX-License-Identifier: Apache-2.0
// The bytes of the simulated network: records with a real header (RFC 8446 5.1), the payload
// unencrypted, and filler for the overhead. So every byte count is real, and the peer can read what
// it got and sees the number of its key. Used by the fakes and by the peers of the tests.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace spliced::fakes::wire {

inline constexpr uint8_t kKeyUpdate = 24;  // HandshakeType, RFC 8446 4
inline constexpr uint8_t kAlert = 21, kHandshake = 22, kApplicationData = 23;

struct Record {
  uint8_t type;
  std::string payload;
};

struct Decoded {
  std::vector<Record> records;       // the whole ones
  std::string plaintext;             // the application data of those
  std::vector<uint8_t> key_updates;  // request_update of each
  bool broken_off = false;           // an incomplete record is left over
};

// `key`: how many KeyUpdates preceded it. A record under another key cannot be decrypted.
std::string record(uint8_t type, const std::string& payload, uint32_t overhead_bytes,
                   uint8_t key = 0);
Decoded decode(const std::string& bytes);

}  // namespace spliced::fakes::wire
