// SPDX-License-Identifier: Apache-2.0
// Fuzzes http/conditions. The input is a request head; its conditions are judged against one file.
#include "http/conditions.hpp"

#include <string>

#include "http/date.hpp"
#include "invariant.hpp"

using namespace spliced::http;

namespace {

constexpr Validators kFile{"\"a,b\"", 784111777};
constexpr Validators kUntagged{{}, 784111777};
constexpr int64_t kNow = 1795374000;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

void check_file(const RequestHead& head) {
  const Verdict verdict = evaluate(head, kFile, kNow);
  const bool conditional =
      head.if_match.data() != nullptr || head.if_none_match.data() != nullptr ||
      head.if_modified_since.data() != nullptr || head.if_unmodified_since.data() != nullptr;
  if (!conditional) INVARIANT(verdict == Verdict::Send);
  if (verdict == Verdict::NotModified) {
    INVARIANT(head.method != Method::Other);
    INVARIANT(head.if_none_match.data() != nullptr || head.if_modified_since.data() != nullptr);
    if (head.if_none_match.data() != nullptr) {
      INVARIANT(contains(head.if_none_match, kFile.etag) || contains(head.if_none_match, "*"));
    }
  }
  if (head.if_match.data() != nullptr && verdict == Verdict::Send) {
    INVARIANT(contains(head.if_match, kFile.etag) || contains(head.if_match, "*"));
  }
  if (range_applies(head, kFile)) {
    INVARIANT(head.method == Method::Get && head.range.data() != nullptr);
    INVARIANT(head.if_range.data() == nullptr || head.if_range == kFile.etag ||
              head.if_range == format_date(kFile.last_modified_s).view());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  RequestHead head;
  if (parse_head(text_of(data, size), head).outcome != Outcome::Complete) return 0;
  check_file(head);
  if (evaluate(head, kUntagged, kNow) == Verdict::NotModified &&
      head.if_none_match.data() != nullptr) {
    INVARIANT(contains(head.if_none_match, "*"));
  }
  return 0;
}
