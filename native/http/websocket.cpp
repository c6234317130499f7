// SPDX-License-Identifier: Apache-2.0
// See websocket.hpp.
#include "http/websocket.hpp"

#include <algorithm>

namespace spliced::http {
namespace {

constexpr uint8_t kOpcode = 0x0f, kClose = 8, kMasked = 0x80, kLength = 0x7f;
constexpr uint8_t kLength16 = 126, kLength64 = 127;

}  // namespace

size_t WebSocketFrames::header_bytes_needed() const {
  if (header_bytes_ < 2) return 2;
  const uint8_t length = header_[1] & kLength;
  const size_t extended = length == kLength64 ? 8 : length == kLength16 ? 2 : 0;
  return 2 + extended + ((header_[1] & kMasked) != 0 ? 4 : 0);
}

void WebSocketFrames::header_is_complete() {
  const uint8_t length = header_[1] & kLength;
  const size_t extended = length == kLength64 ? 8 : length == kLength16 ? 2 : 0;
  left_ = extended == 0 ? length : 0;
  for (size_t i = 0; i < extended; i++) left_ = left_ << 8 | header_[2 + i];
  if ((header_[0] & kOpcode) == kClose) closed_ = true;
  header_bytes_ = 0;
}

void WebSocketFrames::pass(std::string_view bytes) {
  while (!bytes.empty()) {
    if (left_ > 0) {
      const auto passed = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
      left_ -= passed;
      bytes.remove_prefix(passed);
      continue;
    }
    header_[header_bytes_++] = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    if (header_bytes_ >= 2 && header_bytes_ == header_bytes_needed()) header_is_complete();
  }
}

}  // namespace spliced::http
