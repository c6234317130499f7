// SPDX-License-Identifier: Apache-2.0
// What both ends of an HTTP/2 connection have said, read as frames after the fact, and what must
// hold of the server's (RFC 9113), whatever the client's were.
#pragma once
#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "invariant.hpp"

namespace spliced::fuzz {

struct Frame {
  uint8_t type = 0, flags = 0;
  uint32_t stream = 0;
  std::string_view payload;
};

inline uint64_t number_at(std::string_view bytes, size_t at, size_t count) {
  uint64_t value = 0;
  for (size_t i = at; i < at + count; i++) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

constexpr size_t kHeadBytes = 9;
enum : uint8_t { kData, kHeaders, kPriority, kReset, kSettings, kPush, kPing, kGoAway, kWindow };
constexpr uint8_t kContinuation = 9;
constexpr uint8_t kEndStream = 0x1, kAck = 0x1, kEndHeaders = 0x4;

// The whole frames; `rest` are the bytes behind them.
inline std::vector<Frame> frames_of(std::string_view bytes, std::string_view& rest) {
  std::vector<Frame> all;
  while (bytes.size() >= kHeadBytes) {
    const size_t length = number_at(bytes, 0, 3);
    if (bytes.size() - kHeadBytes < length) break;
    all.push_back({static_cast<uint8_t>(bytes[3]), static_cast<uint8_t>(bytes[4]),
                   static_cast<uint32_t>(number_at(bytes, 5, 4) & 0x7fffffff),
                   bytes.substr(kHeadBytes, length)});
    bytes.remove_prefix(kHeadBytes + length);
  }
  rest = bytes;
  return all;
}

// What the client's frames allow at most, well-formed or not: streams that it opened, windows.
struct Allowed {
  std::set<uint32_t> opened;
  std::map<uint32_t, uint64_t> windows;  // 0: the connection's; beyond the initial one
  uint64_t initial_window = 65'535;      // the widest that there was
};

inline Allowed allowed_by(std::string_view client) {
  Allowed allowed;
  std::string_view rest;
  for (const Frame& frame : frames_of(client, rest)) {
    if (frame.type == kHeaders) allowed.opened.insert(frame.stream);
    if (frame.type == kWindow && frame.payload.size() == 4)
      allowed.windows[frame.stream] += number_at(frame.payload, 0, 4) & 0x7fffffff;
    if (frame.type != kSettings) continue;
    for (size_t at = 0; at + 6 <= frame.payload.size(); at += 6)
      if (number_at(frame.payload, at, 2) == 4)
        allowed.initial_window =
            std::max(allowed.initial_window, number_at(frame.payload, at + 2, 4));
  }
  return allowed;
}

// A stream as the client sees it.
struct Seen {
  std::string data;
  bool good = false;  // :status 200, by its index in the static table (RFC 7541 A)
  bool ended = false, reset = false;
};

inline std::map<uint32_t, Seen> check_server(std::string_view server, std::string_view client) {
  const Allowed allowed = allowed_by(client);
  std::map<uint32_t, Seen> streams;
  std::string_view rest;
  uint32_t in_block = 0;  // the stream whose header block is not whole
  uint64_t data_bytes = 0, last_of_goaway = UINT64_MAX;
  bool first = true;
  for (const Frame& frame : frames_of(server, rest)) {
    INVARIANT(!first || (frame.type == kSettings && (frame.flags & kAck) == 0));
    first = false;
    INVARIANT(frame.payload.size() <= limits::kRecordPlaintextBytes);
    INVARIANT(in_block == 0 || (frame.type == kContinuation && frame.stream == in_block));
    const bool of_connection =
        frame.type == kSettings || frame.type == kPing || frame.type == kGoAway;
    INVARIANT(frame.type <= kContinuation && frame.type != kPush && frame.type != kPriority);
    INVARIANT(!of_connection || frame.stream == 0);
    if (frame.type == kGoAway) {
      const uint64_t last = number_at(frame.payload, 0, 4);
      INVARIANT(last <= last_of_goaway);  // RFC 9113 6.8
      last_of_goaway = last;
    }
    if (of_connection || (frame.type == kWindow && frame.stream == 0)) continue;
    // RFC 9113 5.1.1: never before the client, and pushes are not for us.
    INVARIANT(frame.stream % 2 == 1 && allowed.opened.count(frame.stream) == 1);
    Seen& seen = streams[frame.stream];
    if (frame.type == kReset) seen.reset = true;
    if (frame.type == kReset || frame.type == kWindow) continue;
    INVARIANT(!seen.ended && !seen.reset);
    if (frame.type == kHeaders)
      seen.good = !frame.payload.empty() && static_cast<uint8_t>(frame.payload[0]) == 0x88;
    if (frame.type != kData)
      in_block = (frame.flags & kEndHeaders) != 0 ? 0 : frame.stream;
    else
      seen.data += frame.payload;
    if (frame.type != kContinuation) seen.ended = (frame.flags & kEndStream) != 0;
    if (frame.type == kData) data_bytes += frame.payload.size();
  }
  const auto window = [&](uint32_t stream) {
    const auto found = allowed.windows.find(stream);
    return found == allowed.windows.end() ? 0 : found->second;
  };
  INVARIANT(data_bytes <= 65'535 + window(0));
  for (const auto& [id, seen] : streams)
    INVARIANT(seen.data.size() <= allowed.initial_window + window(id));
  return streams;
}

}  // namespace spliced::fuzz
