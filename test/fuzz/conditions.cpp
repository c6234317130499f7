// SPDX-License-Identifier: Apache-2.0
// Fuzzes http/conditions. The first byte picks the method; then a line each for If-Match,
// If-None-Match, If-Unmodified-Since, Range and If-Range. A line that is missing
// or is "-" is a field that is absent.
#include "http/conditions.hpp"

#include "invariant.hpp"

using namespace spliced::http;

namespace {

constexpr Validators kFile{"\"a,b\"", 784111777};
constexpr Validators kUntagged{{}, 784111777};
constexpr int64_t kNow = 1795374000;

bool present(std::string_view field) {
  return field.data() != nullptr;
}

bool has_star(std::string_view list) {
  return list.find('*') != std::string_view::npos;
}

// An entity-tag of the list is ours, as far as a look at the text can tell.
bool names_file(std::string_view list, bool weak_too) {
  for (size_t at = list.find(kFile.etag); at != std::string_view::npos;
       at = list.find(kFile.etag, at + 1)) {
    const bool weak = at >= 2 && list.substr(at - 2, 2) == "W/";
    if (!weak || weak_too) return true;
  }
  return false;
}

std::string_view take_field(std::string_view& text) {
  if (text.empty()) return {};
  const size_t newline = text.find('\n');
  const std::string_view line = text.substr(0, newline);
  text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
  return line == "-" ? std::string_view() : line;
}

void check_verdict(const RequestHead& head, Verdict verdict) {
  const bool precondition = head.if_match.is_present() || present(head.if_unmodified_since);
  const bool validation = head.if_none_match.is_present();
  if (!precondition && !validation) INVARIANT(verdict == Verdict::Send);
  if (!precondition && retrieves(head.method)) {
    INVARIANT(verdict != Verdict::PreconditionFailed);
  }
  if (verdict == Verdict::NotModified) INVARIANT(retrieves(head.method) && validation);
  if (verdict == Verdict::NotModified && head.if_none_match.is_present()) {
    INVARIANT(names_file(head.if_none_match.text, true) || has_star(head.if_none_match.text));
  }
  if (verdict != Verdict::PreconditionFailed && head.if_match.is_present()) {
    INVARIANT(names_file(head.if_match.text, false) || has_star(head.if_match.text));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view rest = text_of(data + 1, size - 1);
  RequestHead head;
  head.method = static_cast<Method>(data[0] % 3);
  head.if_match = take_field(rest);
  head.if_none_match = take_field(rest);
  head.if_unmodified_since = take_field(rest);
  head.range = take_field(rest);
  head.if_range = take_field(rest);

  check_verdict(head, evaluate(head, kFile, kNow));
  if (range_applies(head, kFile)) {
    INVARIANT(head.method == Method::Get && present(head.range));
    INVARIANT(!present(head.if_range) || head.if_range == kFile.etag);
  }
  // Without an entity-tag only the star can match.
  const bool unchanged = evaluate(head, kUntagged, kNow) == Verdict::NotModified;
  if (unchanged && head.if_none_match.is_present()) INVARIANT(has_star(head.if_none_match.text));
  return 0;
}
