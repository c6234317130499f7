// SPDX-License-Identifier: Apache-2.0
// What the simulated network carries: records with a real header (RFC 8446 5.1), the payload in the
// clear and the overhead as filler, so that every byte count is that of the real thing and the peer
// can read what it got, and sees under which key it is. Used by the fakes and by the peers of the
// tests.
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
  std::vector<uint8_t> key_updates;  // their request_update
  bool broken_off = false;           // bytes of an incomplete record are left over
};

// `key`: how many KeyUpdates came before it. A record under another key cannot be opened.
std::string record(uint8_t type, const std::string& payload, uint32_t overhead_bytes,
                   uint8_t key = 0);
Decoded decode(const std::string& bytes);

}  // namespace spliced::fakes::wire
