// SPDX-License-Identifier: Apache-2.0
// See wire.hpp. The length field counts the payload and the filler; the filler's size is in the
// version field's second byte, because the peer of a test has no key to tell them apart; the key's
// number is added to the first.
#include "fakes/wire.hpp"

namespace spliced::fakes::wire {
namespace {

constexpr size_t kHeaderBytes = 5;

}  // namespace

std::string record(uint8_t type, const std::string& payload, uint32_t overhead_bytes, uint8_t key) {
  const size_t filler = overhead_bytes - kHeaderBytes;
  const size_t length = payload.size() + filler;
  std::string bytes;
  bytes.push_back(static_cast<char>(type));
  bytes.push_back(static_cast<char>(3 + key));
  bytes.push_back(static_cast<char>(filler));
  bytes.push_back(static_cast<char>(length >> 8 & 0xff));
  bytes.push_back(static_cast<char>(length & 0xff));
  return bytes + payload + std::string(filler, '*');
}

Decoded decode(const std::string& bytes) {
  Decoded out;
  size_t at = 0;
  uint8_t key = 0;
  const auto byte = [&](size_t index) { return static_cast<uint8_t>(bytes[at + index]); };
  while (at < bytes.size()) {
    if (bytes.size() - at < kHeaderBytes) {
      out.broken_off = true;
      break;
    }
    const size_t filler = byte(2);
    const size_t length = static_cast<size_t>(byte(3)) << 8 | byte(4);
    const size_t payload = length - filler;
    if (bytes.size() - at < kHeaderBytes + length || byte(1) != uint8_t(3 + key)) {
      out.broken_off = true;  // a real peer cannot even open it
      break;
    }
    out.records.push_back({byte(0), bytes.substr(at + kHeaderBytes, payload)});
    const std::string& content = out.records.back().payload;
    if (byte(0) == kApplicationData) out.plaintext += content;
    if (byte(0) == kHandshake && content[0] == kKeyUpdate) {
      out.key_updates.push_back(static_cast<uint8_t>(content.at(4)));
      key++;
    }
    at += kHeaderBytes + length;
  }
  return out;
}

}  // namespace spliced::fakes::wire
