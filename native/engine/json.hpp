// SPDX-License-Identifier: Apache-2.0
// Writes one JSON text (RFC 8259) from front to back. For the status and the board report alone.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace spliced::engine {

class JsonWriter {
 public:
  JsonWriter& open(std::string_view key = {}) { return begin(key, '{'); }
  JsonWriter& open_array(std::string_view key) { return begin(key, '['); }
  JsonWriter& close() { return end('}'); }
  JsonWriter& close_array() { return end(']'); }
  JsonWriter& number(std::string_view key, uint64_t value) {
    return raw(key, std::to_string(value));
  }
  JsonWriter& integer(std::string_view key, int64_t value) {
    return raw(key, std::to_string(value));
  }
  JsonWriter& boolean(std::string_view key, bool value) {
    return raw(key, value ? "true" : "false");
  }
  JsonWriter& text(std::string_view key, std::string_view value) {
    prefix(key);
    quote(value);
    comma_ = true;
    return *this;
  }
  JsonWriter& raw(std::string_view key, std::string_view value) {
    prefix(key);
    out_ += value;
    comma_ = true;
    return *this;
  }
  std::string take() { return std::move(out_); }

 private:
  JsonWriter& begin(std::string_view key, char bracket) {
    prefix(key);
    out_ += bracket;
    comma_ = false;
    return *this;
  }
  JsonWriter& end(char bracket) {
    out_ += bracket;
    comma_ = true;
    return *this;
  }
  void prefix(std::string_view key) {
    if (comma_) out_ += ',';
    comma_ = false;
    if (key.empty()) return;
    quote(key);
    out_ += ':';
  }
  void quote(std::string_view text) {
    static constexpr char kHex[] = "0123456789abcdef";
    out_ += '"';
    for (char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        out_ += '\\';
        out_ += c;
      } else if (byte < 0x20 || byte >= 0x7f) {  // controls, and bytes of unknown encoding
        out_ += "\\u00";
        out_ += kHex[byte >> 4];
        out_ += kHex[byte & 15];
      } else {
        out_ += c;
      }
    }
    out_ += '"';
  }

  std::string out_;
  bool comma_ = false;
};

}  // namespace spliced::engine
