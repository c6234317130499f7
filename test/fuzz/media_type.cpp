// SPDX-License-Identifier: Apache-2.0
// Fuzzes http/media_type. The input is a path. The binary search finds what a search from the first
// line to the last finds; case and the directory do not matter; the type is a whole field value.
#include "http/media_type.hpp"

#include <string>

#include "http/syntax.hpp"
#include "invariant.hpp"

using namespace spliced::http;

namespace {

constexpr struct {
  std::string_view extension, type;
} kTable[] = {
#include "http/media_types.inc"
};

// Empty if there is none. A second reading: from the end, byte by byte.
std::string_view type_by_scan(std::string_view path) {
  for (const auto& [extension, type] : kTable) {
    if (path.size() < extension.size() + 2) continue;
    const size_t start = path.size() - extension.size();
    const char before = path[start - 2];
    if (before == '/' || path[start - 1] != '.') continue;
    if (equals_ignoring_case(path.substr(start), extension)) return type;
  }
  return {};
}

bool is_type(std::string_view text) {
  static constexpr std::string_view kCharset = "; charset=utf-8";
  const bool is_text = text.substr(0, 5) == "text/";
  if (is_text) {
    if (text.size() < kCharset.size()) return false;
    if (text.substr(text.size() - kCharset.size()) != kCharset) return false;
    text.remove_suffix(kCharset.size());
  }
  const size_t slash = text.find('/');
  return slash != std::string_view::npos && is_token(text.substr(0, slash)) &&
         is_token(text.substr(slash + 1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view path = text_of(data, size);
  const std::string_view type = media_type(path);
  const std::string_view expected = type_by_scan(path);
  INVARIANT(is_type(type));
  INVARIANT(has_known_extension(path) == !expected.empty());
  INVARIANT(type == (expected.empty() ? "application/octet-stream" : expected));

  std::string other(path);
  for (char& c : other)
    if (is_alpha(c)) c = static_cast<char>(c ^ 0x20);
  INVARIANT(media_type(other).data() == type.data());
  INVARIANT(media_type("a.html/" + other).data() == type.data());
  return 0;
}
