// SPDX-License-Identifier: Apache-2.0
// tls/websocket_key: RFC 6455's own example, and keys that are new each time.
#include "tls/websocket_key.hpp"

#include <ostream>

#include "doctest/doctest.h"

using namespace spliced::tls;

TEST_CASE("WebSocket key: the example of RFC 6455 1.3") {
  CHECK(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("WebSocket key: 16 bytes in base64, with their answer, and never twice") {
  const WebSocketKey one = new_websocket_key(), other = new_websocket_key();
  CHECK(one.key.size() == 24);
  CHECK(one.key.substr(22) == "==");
  CHECK(one.accept == websocket_accept(one.key));
  CHECK(one.key != other.key);
}
