// SPDX-License-Identifier: Apache-2.0
// The key and its answer that prove to both ends of a WebSocket's handshake that the other speaks
// it (RFC 6455 1.3), where spliced is the client. Not secret. In this room for its SHA-1, by
// OpenSSL.
#pragma once
#include <string>
#include <string_view>

namespace spliced::tls {

struct WebSocketKey {
  std::string key;     // Sec-WebSocket-Key
  std::string accept;  // the Sec-WebSocket-Accept that must answer it
};

// From 16 random bytes. Both are empty if OpenSSL has no random bytes or no SHA-1.
WebSocketKey new_websocket_key();
// Empty without SHA-1.
std::string websocket_accept(std::string_view key);

}  // namespace spliced::tls
