// SPDX-License-Identifier: Apache-2.0
// Writes a head into memory of a fixed size. For the writers of this room.
#pragma once
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "http/syntax.hpp"

namespace spliced::http {

inline constexpr size_t kNumberBytesMax = 20;  // UINT64_MAX

// Appends while there is room. After the first failure it writes nothing more.
class Writer {
 public:
  Writer(char* out, size_t capacity) : out_(out), capacity_(capacity) {}

  size_t size() const { return ok_ ? size_ : 0; }

  void text(std::string_view text) {
    ok_ = ok_ && text.size() <= capacity_ - size_;
    if (!ok_ || text.empty()) return;
    std::memcpy(out_ + size_, text.data(), text.size());
    size_ += text.size();
  }

  void number(uint64_t value) {
    char digits[kNumberBytesMax];
    const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
    ok_ = ok_ && error == std::errc();
    text({digits, static_cast<size_t>(end - digits)});
  }

  // Writes "name: value" and CRLF, of a value that a parser has accepted.
  void line(std::string_view name, std::string_view value) {
    text(name);
    text(": ");
    text(value);
    text("\r\n");
  }

  // The same for an unchecked value. An empty value writes nothing. One that is too long, or has a
  // control character (which could inject a field), is a failure.
  void field(std::string_view name, std::string_view value, size_t value_bytes_max) {
    if (value.empty()) return;
    ok_ = ok_ && value.size() <= value_bytes_max;
    for (const char c : value) ok_ = ok_ && !is_control(c);
    line(name, value);
  }

 private:
  char* out_;
  size_t capacity_;
  size_t size_ = 0;
  bool ok_ = true;
};

}  // namespace spliced::http
