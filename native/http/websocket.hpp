// SPDX-License-Identifier: Apache-2.0
// Follows the frame boundaries of a WebSocket (RFC 6455 5.2), so that a frame of our own can be
// inserted between two. It reads lengths and the Close opcode alone; payloads and masks concern the
// two ends. No I/O.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace spliced::http {

// Close, 1001: "an endpoint is going away, such as a server going down" (RFC 6455 7.4.1). Unmasked,
// as a server sends it, and masked (with zeros), as a client must.
inline constexpr std::string_view kGoingAway{"\x88\x02\x03\xe9", 4};
inline constexpr std::string_view kGoingAwayMasked{"\x88\x82\x00\x00\x00\x00\x03\xe9", 8};

class WebSocketFrames {
 public:
  // Takes the next bytes of one direction, in order.
  void pass(std::string_view bytes);
  // Whether a frame may be inserted: no frame is unfinished, and none so far was a Close.
  bool may_insert() const { return header_bytes_ == 0 && left_ == 0 && !closed_; }

 private:
  static constexpr size_t kHeaderBytesMax = 14;

  size_t header_bytes_needed() const;
  void header_is_complete();

  uint8_t header_[kHeaderBytesMax] = {};
  size_t header_bytes_ = 0;
  uint64_t left_ = 0;  // of the payload
  bool closed_ = false;
};

}  // namespace spliced::http
