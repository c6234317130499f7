// SPDX-License-Identifier: Apache-2.0
// Turns a request target (RFC 9112 3.2) into a path relative to the served root. Called by conn for
// GET and HEAD before a file is opened. Decoding happens once, and only here. openat2 with
// RESOLVE_BENEATH is a second barrier, not the first. No I/O: whether the file exists is decided
// later.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/limits.hpp"

namespace spliced::http {

// A path of at most kPathBytesMax bytes, always NUL-terminated, for openat2 and for lookups.
class PathBuffer {
 public:
  std::string_view view() const { return {bytes_, size_}; }
  const char* c_str() const { return bytes_; }
  size_t size() const { return size_; }

  // False, without any change, if it does not fit.
  [[nodiscard]] bool append(std::string_view text);
  [[nodiscard]] bool append(char c) { return append(std::string_view(&c, 1)); }
  // Keeps the first `size` bytes; `size` must not exceed the present one.
  void truncate(size_t size);

 private:
  size_t size_ = 0;
  char bytes_[limits::kPathBytesMax + 1] = {};
};

struct TargetResult {
  uint16_t status;  // 0: `out` has the path; otherwise the status to answer with
  const char* why;  // a static sentence for the log, nullptr if status is 0
  // Host and port of an absolute-form, which replace the Host field (RFC 9112 3.2.2).
  std::string_view authority = {};
  bool directory = false;  // the path ends in "/", "." or "..": it names a directory
};

// Accepts origin-form and absolute-form (http, https); drops the query. The resulting path has no
// leading or trailing "/", no empty, "." or ".." segment, no NUL and no control character. The path
// of the root is empty.
//   400: another form, a fragment, a bad escape, an encoded control character, ".." above the root.
//   404: an empty segment, or %2F inside one. No file of ours can have such a name, and neither is
//        folded into another path, so that a file has one address.
//   414: the path is longer than kPathBytesMax.
// `out` is empty if the status is not 0.
[[nodiscard]] TargetResult resolve_target(std::string_view target, PathBuffer& out);

}  // namespace spliced::http
