// SPDX-License-Identifier: Apache-2.0
// Fuzzes http/head: the views lie inside what was consumed, and the verdict does not depend on how
// many bytes have arrived beyond it, nor a rejection on how few.
#include "http/head.hpp"

#include "base/limits.hpp"
#include "invariant.hpp"

using namespace spliced;
using namespace spliced::http;

namespace {

bool inside(std::string_view view, std::string_view input, size_t consumed) {
  return view.data() == nullptr ||
         (view.data() >= input.data() && view.data() + view.size() <= input.data() + consumed);
}

// True only of a field absent in both, or the same bytes at the same place.
bool same(std::string_view a, std::string_view b) {
  return a.data() == b.data() && a.size() == b.size();
}

void check_value(std::string_view view, std::string_view input, size_t consumed) {
  INVARIANT(inside(view, input, consumed));
  for (const char c : view) INVARIANT(c != '\0' && c != '\r' && c != '\n' && c != '\x7f');
}

void check_complete(std::string_view input, const HeadResult& result, const RequestHead& head) {
  INVARIANT(result.consumed >= 2 && result.consumed <= input.size());
  INVARIANT(result.consumed <= limits::kHeadBytesMax);
  INVARIANT(input.substr(result.consumed - 2, 2) == "\r\n");
  INVARIANT(result.status == 0 && result.why == nullptr);
  for (const auto view : {head.method_token, head.target, head.host, head.if_unmodified_since,
                          head.range, head.if_range})
    check_value(view, input, result.consumed);
  for (ListField list : {head.if_match, head.if_none_match, head.accept, head.accept_encoding}) {
    std::string_view line;
    while (take_line(list, line)) check_value(line, input, result.consumed);
  }
  INVARIANT(!head.method_token.empty() && !head.target.empty());
  INVARIANT(head.target.size() <= limits::kTargetBytesMax);
  INVARIANT((head.method == Method::Get) == (head.method_token == "GET"));
  INVARIANT((head.method == Method::Head) == (head.method_token == "HEAD"));
  INVARIANT(head.minor_version == 0 || !head.host.empty());
  INVARIANT(!(head.chunked && head.content_length > 0));
  INVARIANT(head.has_body == (head.chunked || head.content_length > 0));
  INVARIANT(!(head.chunked && head.minor_version == 0));
  // Only CRLF ends a line, and no line but the first may be empty or folded.
  size_t lines = 0;
  for (size_t i = 0; i < result.consumed; ++i) {
    if (input[i] == '\n') ++lines;
    if (input[i] == '\n') INVARIANT(i > 0 && input[i - 1] == '\r');
    if (input[i] == '\r') INVARIANT(input[i + 1] == '\n');
    if (input[i] == '\n' && i + 1 < result.consumed) {
      INVARIANT(input[i + 1] != ' ' && input[i + 1] != '\t');
    }
  }
  // The request line, the fields, the empty line; maybe one more before them.
  const size_t leading = input.substr(0, 2) == "\r\n" ? 1 : 0;
  INVARIANT(lines <= leading + 1 + limits::kHeaderFieldsMax + 1);
}

void check_same(const HeadResult& a, const RequestHead& x, const HeadResult& b,
                const RequestHead& y) {
  INVARIANT(a.outcome == b.outcome && a.consumed == b.consumed);
  INVARIANT(same(x.target, y.target) && same(x.host, y.host) && same(x.range, y.range));
  INVARIANT(same(x.if_match.text, y.if_match.text));
  INVARIANT(same(x.if_none_match.text, y.if_none_match.text) && same(x.if_range, y.if_range));
  INVARIANT(x.keep_alive == y.keep_alive && x.has_body == y.has_body);
  INVARIANT(x.chunked == y.chunked && x.expect_continue == y.expect_continue);
  INVARIANT(x.content_length == y.content_length && x.minor_version == y.minor_version);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input = text_of(data, size);
  RequestHead head;
  const HeadResult result = parse_head(input, head);
  if (result.outcome == Outcome::Complete) check_complete(input, result, head);
  if (result.outcome == Outcome::Rejected) {
    INVARIANT(result.consumed == 0 && result.why != nullptr);
    INVARIANT(result.status == 400 || result.status == 414 || result.status == 431 ||
              result.status == 501 || result.status == 505);
  }
  if (result.outcome == Outcome::Incomplete) {
    INVARIANT(result.consumed == 0 && result.status == 0 && result.why == nullptr);
    INVARIANT(size < limits::kHeadBytesMax);
  }
  if (size < 2) return 0;

  // No prefix may contradict the whole: all of them if it is short, else some, and the last byte
  // says which, so that the fuzzer reaches every length.
  const size_t step = size < 256 ? 1 : size / (16 + data[size - 1] % 16);
  for (size_t length = 0; length < size; length += step) {
    RequestHead part;
    const HeadResult earlier = parse_head(input.substr(0, length), part);
    if (earlier.outcome == Outcome::Rejected) INVARIANT(result.outcome == Outcome::Rejected);
    if (earlier.outcome == Outcome::Complete) check_same(earlier, part, result, head);
    if (result.outcome == Outcome::Complete) {
      INVARIANT((earlier.outcome == Outcome::Complete) == (length >= result.consumed));
    }
  }
  return 0;
}
