// SPDX-License-Identifier: Apache-2.0
// Scanners shared by the parsers of this room; see syntax.hpp.
#include "http/syntax.hpp"

#include <limits>

namespace spliced::http {

bool is_token(std::string_view text) {
  for (const char c : text) {
    if (!is_token_char(c)) return false;
  }
  return !text.empty();
}

Line read_line(std::string_view input) {
  size_t i = 0;
  while (i < input.size() && (!is_control(input[i]) || input[i] == '\t')) ++i;
  const std::string_view text = input.substr(0, i);
  if (i == input.size()) return {text, LineEnd::Partial};
  if (input[i] != '\r') return {text, LineEnd::Bad};
  if (i + 1 == input.size()) return {text, LineEnd::Partial};
  return {text, input[i + 1] == '\n' ? LineEnd::Whole : LineEnd::Bad};
}

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

bool next_element(std::string_view& list, std::string_view& element) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    element = trim(list.substr(0, comma));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    if (!element.empty()) return true;
  }
  return false;
}

bool parse_number(std::string_view text, uint64_t& value, bool& overflow) {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  value = 0;
  overflow = false;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    const auto digit = static_cast<uint64_t>(c - '0');
    if (value > (kMax - digit) / 10) overflow = true;
    value = overflow ? kMax : value * 10 + digit;
  }
  return !text.empty();
}

namespace {

// RFC 3986 2.2 and 2.3: unreserved and sub-delims. The caller checks pct-encoded.
bool is_reg_name_char(char c) {
  return is_alpha(c) || is_digit(c) ||
         (c != '\0' && std::string_view("-._~!$&'()*+,;=").find(c) != std::string_view::npos);
}

bool is_reg_name(std::string_view name) {
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '%') {
      if (name.size() - i < 3 || hex_value(name[i + 1]) < 0 || hex_value(name[i + 2]) < 0) {
        return false;
      }
      i += 2;
    } else if (!is_reg_name_char(name[i])) {
      return false;
    }
  }
  return !name.empty();
}

// Inside the brackets of an IP-literal. Only the characters of an IPv6 address are checked, because
// nothing connects to it. IPvFuture and zone identifiers are refused.
bool is_ip_literal(std::string_view address) {
  for (const char c : address) {
    if (hex_value(c) < 0 && c != ':' && c != '.') return false;
  }
  return address.find(':') != std::string_view::npos;
}

}  // namespace

bool is_valid_host(std::string_view text) {
  std::string_view after;  // what follows the host: nothing, or ":" and a port
  if (!text.empty() && text.front() == '[') {
    const size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) return false;
    if (!is_ip_literal(text.substr(1, bracket - 1))) return false;
    after = text.substr(bracket + 1);
  } else {
    const size_t colon = text.find(':');
    if (!is_reg_name(text.substr(0, colon))) return false;
    if (colon != std::string_view::npos) after = text.substr(colon);
  }
  if (after.empty()) return true;
  if (after.front() != ':') return false;
  for (const char c : after.substr(1)) {
    if (!is_digit(c)) return false;
  }
  return true;
}

}  // namespace spliced::http
