// SPDX-License-Identifier: Apache-2.0
// See asset_name.hpp.
#include "http/asset_name.hpp"

#include <cstddef>

#include "http/syntax.hpp"

namespace spliced::http {
namespace {

constexpr size_t kHashCharsMin = 8;
constexpr size_t kChangesMin = 5;  // "iPhone4s" and "Win32App" have four

enum class Class : char { Digit, Lower, Upper, Other };

Class class_of(char c) {
  if (is_digit(c)) return Class::Digit;
  if (!is_alpha(c)) return Class::Other;
  return lower(c) == c ? Class::Lower : Class::Upper;
}

struct Looks {
  size_t changes = 0;
  bool lowers = false, uppers = false, others = false, beyond_hex = false, beyond_base32 = false;
  bool digit_before_letter = false;
};

Looks look_at(std::string_view text) {
  Looks looks;
  bool digit = false;
  for (size_t i = 0; i < text.size(); i++) {
    const Class now = class_of(text[i]);
    if (i > 0 && now != class_of(text[i - 1])) looks.changes++;
    looks.lowers = looks.lowers || now == Class::Lower;
    looks.uppers = looks.uppers || now == Class::Upper;
    looks.others = looks.others || now == Class::Other;
    looks.beyond_hex = looks.beyond_hex || hex_value(text[i]) < 0;
    looks.beyond_base32 =
        looks.beyond_base32 || (now == Class::Digit && (text[i] < '2' || text[i] > '7'));
    digit = digit || now == Class::Digit;
    const bool letter = now == Class::Lower || now == Class::Upper;
    looks.digit_before_letter = looks.digit_before_letter || (digit && letter);
  }
  return looks;
}

bool is_hash(std::string_view text) {
  if (text.size() < kHashCharsMin) return false;
  const Looks looks = look_at(text);
  if (!looks.digit_before_letter || looks.others) return false;
  if (!looks.beyond_hex && !looks.uppers) return true;
  if (!looks.lowers) return text.size() == kHashCharsMin && !looks.beyond_base32;
  return looks.uppers && looks.changes >= kChangesMin;
}

}  // namespace

bool has_content_hash(std::string_view path) {
  std::string_view name = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  const size_t first = name.find_first_of(".-");
  if (first == std::string_view::npos || first == 0) return false;
  name.remove_prefix(first + 1);  // the base name comes before it
  // The extension is no hash, and a name without an extension has none.
  const size_t extension = name.rfind('.');
  if (extension == std::string_view::npos) return false;
  name = name.substr(0, extension);
  while (!name.empty()) {
    const size_t end = name.find_first_of(".-");
    if (is_hash(name.substr(0, end))) return true;
    if (end == std::string_view::npos) break;
    name.remove_prefix(end + 1);
  }
  return false;
}

}  // namespace spliced::http
