// SPDX-License-Identifier: Apache-2.0
// Where one frame of a WebSocket ends and the next begins (RFC 6455 5.2), so that a frame of our
// own can go in between. Knows lengths alone: payloads, masks and opcodes are the ends' business.
// No I/O.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace spliced::http {

// Close, 1001: "an endpoint is going away, such as a server going down" (RFC 6455 7.4.1). Unmasked,
// as from a server, and masked (with zeros), as a client must.
inline constexpr std::string_view kGoingAway{"\x88\x02\x03\xe9", 4};
inline constexpr std::string_view kGoingAwayMasked{"\x88\x82\x00\x00\x00\x00\x03\xe9", 8};

class WebSocketFrames {
 public:
  // The next bytes of one direction, in order.
  void pass(std::string_view bytes);
  // A frame has ended, or none has begun, and no Close was among them.
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
