// SPDX-License-Identifier: Apache-2.0
// See websocket_key.hpp.
#include "tls/websocket_key.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

namespace spliced::tls {
namespace {

constexpr int kKeyBytes = 16;
constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 1.3

std::string base64(const unsigned char* bytes, size_t count) {
  std::string text((count + 2) / 3 * 4 + 1, '\0');  // EVP_EncodeBlock adds a NUL
  const int written = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes,
                                      static_cast<int>(count));
  text.resize(static_cast<size_t>(written));
  return text;
}

}  // namespace

std::string websocket_accept(std::string_view key) {
  const std::string text = std::string(key).append(kGuid);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int bytes = 0;
  if (EVP_Digest(text.data(), text.size(), digest, &bytes, EVP_sha1(), nullptr) == 1)
    return base64(digest, bytes);
  ERR_clear_error();
  return {};
}

WebSocketKey new_websocket_key() {
  unsigned char bytes[kKeyBytes];
  WebSocketKey made;
  if (RAND_bytes(bytes, sizeof bytes) == 1) made.key = base64(bytes, sizeof bytes);
  if (!made.key.empty()) made.accept = websocket_accept(made.key);
  if (made.accept.empty()) made.key.clear();
  ERR_clear_error();
  return made;
}

}  // namespace spliced::tls
