// SPDX-License-Identifier: Apache-2.0
// Frames of HTTP/2 (RFC 9113 4), written and parsed by hand, for the scenarios.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "doctest/doctest.h"

namespace spliced::fakes {

inline std::string number(uint64_t value, int bytes) {
  std::string text;
  while (bytes-- > 0) text += static_cast<char>(value >> (8 * bytes) & 0xff);
  return text;
}

inline std::string frame(int type, int flags, uint32_t stream, const std::string& payload = "") {
  return number(payload.size(), 3) + number(static_cast<uint64_t>(type), 1) +
         number(static_cast<uint64_t>(flags), 1) + number(stream, 4) + payload;
}

// A literal field without indexing (RFC 7541 6.2.2); name and value have at most 126 bytes each.
inline std::string field(const std::string& name, const std::string& value) {
  return std::string(1, '\0') + number(name.size(), 1) + name + number(value.size(), 1) + value;
}

inline std::string request_fields(const std::string& method, const std::string& path) {
  return field(":method", method) + field(":scheme", "https") + field(":path", path) +
         field(":authority", "localhost");
}

inline const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct StreamAnswer {
  std::string data;
  bool ended = false, reset = false;
  uint64_t window = 0;  // sum of its WINDOW_UPDATEs
};

// The answers by stream; 0 is the connection. Parsing ends at an incomplete frame.
inline std::map<uint32_t, StreamAnswer> stream_answers(const std::string& plaintext) {
  std::map<uint32_t, StreamAnswer> found;
  for (size_t at = 0; at + 9 <= plaintext.size();) {
    const auto read = [&](size_t from, int bytes) {
      uint64_t value = 0;
      while (bytes-- > 0) value = value << 8 | static_cast<uint8_t>(plaintext[at + from++]);
      return value;
    };
    const size_t bytes = read(0, 3);
    const uint64_t type = read(3, 1), flags = read(4, 1);
    CHECK(type <= 9);
    CHECK(bytes <= 16384);
    if (at + 9 + bytes > plaintext.size()) break;
    StreamAnswer& answer = found[static_cast<uint32_t>(read(5, 4))];
    if (type == 0) answer.data.append(plaintext, at + 9, bytes);
    if (type <= 1 && (flags & 1) != 0) answer.ended = true;
    if (type == 3) answer.reset = true;
    if (type == 8) answer.window += read(9, 4);
    at += 9 + bytes;
  }
  return found;
}

}  // namespace spliced::fakes
