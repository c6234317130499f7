// SPDX-License-Identifier: Apache-2.0
// Resolves the Range field; see range.hpp. Numbers saturate, and a saturated position is beyond
// every file, so nothing here can overflow.
#include "http/range.hpp"

#include <algorithm>

#include "http/syntax.hpp"

namespace spliced::http {
namespace {

enum class Spec : uint8_t { Bad, Beyond, Inside };

bool parse_position(std::string_view text, uint64_t& value) {
  bool overflow = false;
  return parse_number(text, value, overflow);
}

Spec resolve_suffix(std::string_view digits, uint64_t size, ByteRange& out) {
  uint64_t length = 0;
  if (!parse_position(digits, length)) return Spec::Bad;
  if (length == 0) return Spec::Beyond;
  if (size == 0) return Spec::Bad;
  out = {size - std::min(length, size), size - 1};
  return Spec::Inside;
}

Spec resolve_span(std::string_view from, std::string_view to, uint64_t size, ByteRange& out) {
  uint64_t first = 0;
  uint64_t last = UINT64_MAX;
  if (!parse_position(from, first)) return Spec::Bad;
  if (!to.empty() && !parse_position(to, last)) return Spec::Bad;
  if (last < first) return Spec::Bad;
  if (first == 0 && size == 0) return Spec::Bad;
  if (first >= size) return Spec::Beyond;
  out = {first, std::min(last, size - 1)};
  return Spec::Inside;
}

Spec resolve_spec(std::string_view spec, uint64_t size, ByteRange& out) {
  const size_t dash = spec.find('-');
  if (dash == std::string_view::npos) return Spec::Bad;
  if (dash == 0) return resolve_suffix(spec.substr(1), size, out);
  return resolve_span(spec.substr(0, dash), spec.substr(dash + 1), size, out);
}

// The gap has fewer bytes than the head of another part (RFC 9110 15.3.7.2).
bool near(const ByteRange& a, const ByteRange& b) {
  const ByteRange& low = a.first <= b.first ? a : b;
  const ByteRange& high = a.first <= b.first ? b : a;
  return high.first <= low.last || high.first - low.last - 1 <= limits::kRangeGapBytes;
}

// Appends `range`, or joins it with the first one that it is near to. That one has grown, and takes
// in others to which it is now near. False if there is no room.
bool add(RangeResult& out, ByteRange range) {
  size_t place = out.count;
  for (size_t i = 0; i < out.count;) {
    if (i == place || !near(out.ranges[i], range)) {
      i++;
      continue;
    }
    range = {std::min(out.ranges[i].first, range.first), std::max(out.ranges[i].last, range.last)};
    if (place == out.count) {
      place = i;
    } else {
      std::copy(out.ranges + i + 1, out.ranges + out.count, out.ranges + i);
      out.count--;
      if (i < place) place--;
    }
    i = 0;
  }
  if (place == limits::kRangesMax) return false;
  out.ranges[place] = range;
  if (place == out.count) out.count++;
  return true;
}

}  // namespace

RangeResult resolve_range(std::string_view header, uint64_t size) {
  const size_t equals = header.find('=');
  if (equals == std::string_view::npos) return {};
  if (!equals_ignoring_case(header.substr(0, equals), "bytes")) return {};

  std::string_view list = header.substr(equals + 1);
  std::string_view spec;
  RangeResult out;
  size_t asked = 0;
  while (next_element(list, spec)) {
    ByteRange range;
    const Spec found = resolve_spec(spec, size, range);
    if (found == Spec::Bad || ++asked > limits::kRangesAskedMax) return {};
    if (found == Spec::Inside && !add(out, range)) return {};
  }
  if (asked == 0) return {};
  out.kind = out.count > 0 ? RangeKind::Satisfiable : RangeKind::Unsatisfiable;
  return out;
}

}  // namespace spliced::http
