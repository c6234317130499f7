// SPDX-License-Identifier: Apache-2.0
// Writes a request that arrives as a list of fields (RFC 9113 8.3) as the head that HTTP/1.1 has
// for it. One parser then judges both, and the meaning of a request is decided in one place. What
// could mean something else in that form (a line end in a value, a space in a path, a field of the
// connection) makes the request malformed and is never written. No I/O, no exceptions.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/limits.hpp"

namespace spliced::http {

class RequestFields {
 public:
  // OtherProtocol: an extended CONNECT (RFC 8441) for another protocol than WebSocket.
  enum class Verdict : uint8_t { Good, Malformed, TooLarge, OtherProtocol };

  // Adds the fields in their order. What does not fit in `bytes_max` is only counted.
  void add(std::string_view name, std::string_view value, size_t bytes_max);
  // Bytes of all fields as HPACK gave them (RFC 9113 6.5.2, without its 32 bytes a field).
  size_t bytes() const { return bytes_; }

  // To be called after the last field. `ends`: no body follows. Good: `out` is the head, including
  // its empty line. A WebSocket request (RFC 8441) becomes the GET that opens one (RFC 6455 4.1),
  // with this key.
  Verdict finish(bool ends, std::string& out, std::string_view websocket_key = {}) const;
  bool opens_websocket() const;
  bool is_head_request() const { return method_ == "HEAD"; }

 private:
  void add_pseudo(std::string_view name, std::string_view value);
  void add_regular(std::string_view name, std::string_view value);
  void set_once(std::string& pseudo, bool& seen, std::string_view value);

  std::string method_, protocol_, authority_, path_, host_, cookie_, lines_;
  bool has_method_ = false, has_protocol_ = false, has_scheme_ = false;
  bool has_authority_ = false, has_path_ = false;
  bool has_host_ = false, has_cookie_ = false, has_length_ = false, length_is_zero_ = false;
  bool takes_trailers_ = false;
  bool regular_ = false;  // a field that is no pseudo-header field has come
  bool malformed_ = false, too_large_ = false;
  size_t bytes_ = 0;
};

}  // namespace spliced::http
