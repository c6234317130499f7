// SPDX-License-Identifier: Apache-2.0
// Which paths a rule is about: prefixes that match on whole segments, asked with what target.hpp
// has resolved, so that no other spelling of a path goes around them. Immutable once it is shared.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace spliced::http {

class PathPrefixes {
 public:
  // "/" is everything, "/a" and "/a/" are the same. False, and nothing is added, for a text that no
  // resolved path can begin with: without "/" in front, with an empty, "." or ".." segment, with a
  // control character, or with one of % ? # (it is the path as the file is named, not as a URL has
  // it).
  [[nodiscard]] bool add(std::string_view prefix);

  // `path` is relative, as resolve_target() gives it. Case counts, byte by byte.
  bool cover(std::string_view path) const;
  bool empty() const { return prefixes_.empty(); }

 private:
  std::vector<std::string> prefixes_;  // without slashes at either end; "" is everything
};

}  // namespace spliced::http
