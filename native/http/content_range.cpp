// SPDX-License-Identifier: Apache-2.0
// See content_range.hpp.
#include "http/content_range.hpp"

#include "http/syntax.hpp"

namespace spliced::http {
namespace {

constexpr std::string_view kUnit = "bytes ";
constexpr size_t kNone = std::string_view::npos;

bool parse_exactly(std::string_view text, uint64_t& value) {
  bool overflow = false;
  return parse_number(text, value, overflow) && !overflow;
}

}  // namespace

bool parse_content_range(std::string_view value, ContentRange& out) {
  out = {};
  if (!equals_ignoring_case(value.substr(0, kUnit.size()), kUnit)) return false;
  value.remove_prefix(kUnit.size());
  const size_t slash = value.find('/');
  const size_t dash = value.find('-');
  if (slash == kNone || dash == kNone || dash > slash) return false;
  if (!parse_exactly(value.substr(0, dash), out.first) ||
      !parse_exactly(value.substr(dash + 1, slash - dash - 1), out.last) || out.last < out.first ||
      out.last == UINT64_MAX)
    return false;
  const std::string_view size = value.substr(slash + 1);
  if (size == "*") return true;
  out.has_size = true;
  return parse_exactly(size, out.size) && out.size > out.last;
}

}  // namespace spliced::http
