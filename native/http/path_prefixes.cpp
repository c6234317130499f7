// SPDX-License-Identifier: Apache-2.0
// See path_prefixes.hpp.
#include "http/path_prefixes.hpp"

#include "http/syntax.hpp"

namespace spliced::http {
namespace {

bool is_plain_segment(std::string_view segment) {
  if (segment.empty() || segment == "." || segment == "..") return false;
  for (const char c : segment)
    if (is_control(c) || c == '%' || c == '?' || c == '#') return false;
  return true;
}

}  // namespace

bool PathPrefixes::add(std::string_view prefix) {
  if (prefix.empty() || prefix.front() != '/') return false;
  prefix.remove_prefix(1);
  if (prefix.size() > 1 && prefix.back() == '/') prefix.remove_suffix(1);
  for (std::string_view rest = prefix; !prefix.empty();) {
    const size_t slash = rest.find('/');
    if (!is_plain_segment(rest.substr(0, slash))) return false;
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  prefixes_.emplace_back(prefix);
  return true;
}

bool PathPrefixes::cover(std::string_view path) const {
  for (const std::string& prefix : prefixes_) {
    if (prefix.empty()) return true;
    if (path.substr(0, prefix.size()) != prefix) continue;
    if (path.size() == prefix.size() || path[prefix.size()] == '/') return true;
  }
  return false;
}

}  // namespace spliced::http
