// SPDX-License-Identifier: Apache-2.0
// The paths that a rule applies to: prefixes that match whole segments. They are compared with what
// target.hpp has resolved, so that no other spelling of a path evades a rule. Immutable once
// shared.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace spliced::http {

class PathPrefixes {
 public:
  // "/" is everything; "/a" and "/a/" are the same. False, and nothing is added, if no resolved
  // path can begin with the text: it lacks the leading "/", or has an empty, "." or ".." segment, a
  // control character, or one of % ? # (it is the path of the file, not of a URL).
  [[nodiscard]] bool add(std::string_view prefix);

  // `path` is relative, as resolve_target() returns it. Compared byte by byte, so case matters.
  bool cover(std::string_view path) const;
  bool empty() const { return prefixes_.empty(); }

 private:
  std::vector<std::string> prefixes_;  // without slashes at either end; "" is everything
};

}  // namespace spliced::http
