// SPDX-License-Identifier: Apache-2.0
// From request target to relative path; see target.hpp. Each segment is decoded first and judged
// then, so that "%2e%2e" is ".." (RFC 3986 6.2.2.2) and never a file name.
#include "http/target.hpp"

#include <cstring>

#include "http/syntax.hpp"

namespace spliced::http {

bool PathBuffer::append(std::string_view text) {
  if (text.size() > limits::kPathBytesMax - size_) return false;
  if (!text.empty()) std::memcpy(bytes_ + size_, text.data(), text.size());
  size_ += text.size();
  bytes_[size_] = '\0';
  return true;
}

void PathBuffer::truncate(size_t size) {
  size_ = size;
  bytes_[size_] = '\0';
}

namespace {

constexpr size_t kNone = std::string_view::npos;
constexpr TargetResult kDone{0, nullptr, {}, false};
constexpr TargetResult kTooLong{414, "The path is too long.", {}, false};

// `path` is what follows the authority, at least "/".
TargetResult path_of(std::string_view target, std::string_view& path) {
  if (target.find('#') != kNone) return {400, "A request target has no fragment.", {}, false};
  path = target.substr(0, target.find('?'));
  if (!path.empty() && path.front() == '/') return kDone;

  const size_t scheme_end = path.find("://");
  const std::string_view scheme = path.substr(0, scheme_end);
  if (scheme_end == kNone ||
      !(equals_ignoring_case(scheme, "https") || equals_ignoring_case(scheme, "http"))) {
    return {400, "The request target is neither a path nor an http(s) URI.", {}, false};
  }
  path.remove_prefix(scheme_end + 3);
  const size_t authority_end = path.find('/');
  const std::string_view authority = path.substr(0, authority_end);
  if (!is_valid_host(authority)) {
    return {
        400, "The authority in the request target is not a host with an optional port.", {}, false};
  }
  path = authority_end == kNone ? std::string_view("/") : path.substr(authority_end);
  return {0, nullptr, authority, false};
}

TargetResult append_decoded(std::string_view segment, PathBuffer& out) {
  for (size_t i = 0; i < segment.size(); ++i) {
    char c = segment[i];
    if (c == '%') {
      const int high = segment.size() - i > 2 ? hex_value(segment[i + 1]) : -1;
      const int low = segment.size() - i > 2 ? hex_value(segment[i + 2]) : -1;
      if (high < 0 || low < 0)
        return {400, "The path has a % without two hexadecimal digits.", {}, false};
      c = static_cast<char>(high * 16 + low);
      i += 2;
      if (c == '/') return {404, "The path has an encoded slash.", {}, false};
    }
    if (is_control(c)) return {400, "The path has a control character.", {}, false};
    if (!out.append(c)) return kTooLong;
  }
  return kDone;
}

// Appends one segment, or removes the last one for "..". Sets `directory` if the result can only be
// a directory.
TargetResult append_segment(std::string_view segment, PathBuffer& out, bool& directory) {
  const size_t parent = out.size();
  if (parent > 0 && !out.append('/')) return kTooLong;
  const size_t start = out.size();
  const TargetResult decoded = append_decoded(segment, out);
  if (decoded.status != 0) return decoded;

  const std::string_view name = out.view().substr(start);
  const bool up = name == "..";
  directory = up || name == ".";
  if (!directory) return kDone;
  out.truncate(parent);
  if (!up) return kDone;
  if (parent == 0) return {400, "The path leads above the root.", {}, false};
  const size_t slash = out.view().rfind('/');
  out.truncate(slash == kNone ? 0 : slash);
  return kDone;
}

TargetResult append_path(std::string_view path, PathBuffer& out) {
  bool directory = true;
  for (size_t at = 1; at < path.size();) {
    const std::string_view segment = path.substr(at, path.find('/', at) - at);
    if (segment.empty()) return {404, "The path has an empty segment.", {}, false};
    const TargetResult appended = append_segment(segment, out, directory);
    if (appended.status != 0) return appended;
    at += segment.size();
    if (at == path.size()) break;
    ++at;  // skip the slash; as the last byte it means directory
    directory = directory || at == path.size();
  }
  return {0, nullptr, {}, directory};
}

}  // namespace

TargetResult resolve_target(std::string_view target, PathBuffer& out) {
  out.truncate(0);
  std::string_view path;
  TargetResult result = path_of(target, path);
  if (result.status == 0) {
    const std::string_view authority = result.authority;
    result = append_path(path, out);
    if (result.status == 0) result.authority = authority;
  }
  if (result.status != 0) out.truncate(0);
  return result;
}

}  // namespace spliced::http
