// SPDX-License-Identifier: Apache-2.0
// The question and answer by which both ends of a WebSocket's opening show that they mean one (RFC
// 6455 1.3), where we are the client: no secret. Here for its SHA-1, by OpenSSL.
#pragma once
#include <string>
#include <string_view>

namespace spliced::tls {

struct WebSocketKey {
  std::string key;     // Sec-WebSocket-Key
  std::string accept;  // the Sec-WebSocket-Accept that answers it
};

// Of 16 random bytes. Both are empty where OpenSSL has no random bytes, or no SHA-1.
WebSocketKey new_websocket_key();
// Empty without SHA-1.
std::string websocket_accept(std::string_view key);

}  // namespace spliced::tls
