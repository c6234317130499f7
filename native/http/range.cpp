// SPDX-License-Identifier: Apache-2.0
// The Range field; see range.hpp. A position too large for 64 bits counts as the largest one, which
// no file reaches.
#include "http/range.hpp"

#include <algorithm>

#include "http/syntax.hpp"

namespace spliced::http {
namespace {

constexpr RangeResult kIgnore{RangeKind::Ignore, 0, 0};
constexpr RangeResult kUnsatisfiable{RangeKind::Unsatisfiable, 0, 0};

bool parse_position(std::string_view text, uint64_t& value) {
  bool overflow = false;
  return parse_number(text, value, overflow);
}

RangeResult resolve_suffix(std::string_view digits, uint64_t size) {
  uint64_t length = 0;
  if (!parse_position(digits, length)) return kIgnore;
  if (length == 0) return kUnsatisfiable;
  if (size == 0) return kIgnore;
  return {RangeKind::Satisfiable, size - std::min(length, size), size - 1};
}

RangeResult resolve_span(std::string_view from, std::string_view to, uint64_t size) {
  uint64_t first = 0;
  uint64_t last = UINT64_MAX;
  if (!parse_position(from, first)) return kIgnore;
  if (!to.empty() && !parse_position(to, last)) return kIgnore;
  if (last < first) return kIgnore;
  if (first >= size) return kUnsatisfiable;
  return {RangeKind::Satisfiable, first, std::min(last, size - 1)};
}

}  // namespace

RangeResult resolve_range(std::string_view header, uint64_t size) {
  const size_t equals = header.find('=');
  if (equals == std::string_view::npos) return kIgnore;
  if (!equals_ignoring_case(header.substr(0, equals), "bytes")) return kIgnore;

  std::string_view list = header.substr(equals + 1);
  std::string_view spec;
  std::string_view another;
  if (!next_element(list, spec) || next_element(list, another)) return kIgnore;
  const size_t dash = spec.find('-');
  if (dash == std::string_view::npos) return kIgnore;
  if (dash == 0) return resolve_suffix(spec.substr(1), size);
  return resolve_span(spec.substr(0, dash), spec.substr(dash + 1), size);
}

}  // namespace spliced::http
