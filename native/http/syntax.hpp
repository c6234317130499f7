// SPDX-License-Identifier: Apache-2.0
// Character classes and small scanners that the parsers of this room share (RFC 9110 5.5, 5.6 and
// RFC 3986 3.2.2). Pure: views in, views out, no locale, no allocation. A view trimmed to nothing
// keeps its address, because data() == nullptr means an absent field.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace spliced::http {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// CTL of RFC 5234 B.1: the C0 controls and DEL. char is signed on x86 and unsigned on ARM.
constexpr bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

// VCHAR of RFC 5234 B.1: printable ASCII without the space.
constexpr bool is_visible(char c) {
  return c > 0x20 && c < 0x7f;
}

// tchar, RFC 9110 5.6.2.
constexpr bool is_token_char(char c) {
  return is_alpha(c) || is_digit(c) ||
         (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

// The value of one hexadecimal digit, or -1.
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char letter = lower(c);
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

// 1*tchar.
bool is_token(std::string_view text);

enum class LineEnd : uint8_t { Whole, Partial, Bad };

struct Line {
  std::string_view text;  // without the CRLF
  LineEnd end;
};

// RFC 9112 2.2: a line ends in CRLF. A lone CR or LF, NUL and every other control but HTAB is bad
// (RFC 9110 5.5), even if the line has not arrived completely.
Line read_line(std::string_view input);

// Ignores the case of ASCII letters only: all that case-insensitive protocol elements have.
constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

// Removes SP and HTAB from both ends (OWS, RFC 9110 5.6.3).
std::string_view trim(std::string_view text);

// Removes and returns the next non-empty element of a comma-separated list (RFC 9110 5.6.1.2);
// false at the end. For lists whose elements have no quoted strings.
bool next_element(std::string_view& list, std::string_view& element);

// 1*DIGIT as a number; a value too large for 64 bits becomes UINT64_MAX and sets `overflow`. False
// if `text` is empty or has anything but digits.
bool parse_number(std::string_view text, uint64_t& value, bool& overflow);

// uri-host [ ":" port ] with a host that is not empty (RFC 3986 3.2.2; RFC 9110 4.2.2). No
// userinfo.
bool is_valid_host(std::string_view text);

}  // namespace spliced::http
