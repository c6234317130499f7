// SPDX-License-Identifier: Apache-2.0
// Fuzzes http/body: the verdict and the end do not depend on how the bytes arrive, nothing is
// consumed beyond the bound, and what was taken for a chunked body is one by a second reading,
// which is written line by line instead of byte by byte. Read a run of
// content at a time, as the proxy does, it has the same end, and framed anew the same content.
#include "http/body.hpp"

#include <algorithm>
#include <string>

#include "base/limits.hpp"
#include "invariant.hpp"

using namespace spliced;
using namespace spliced::http;
using Verdict = BodyReader::Verdict;

namespace {

constexpr uint64_t kMax = 2000;
constexpr size_t kNone = std::string_view::npos;

struct Seen {
  Verdict verdict = Verdict::More;
  size_t consumed = 0;
};

Seen feed(const RequestHead& head, std::string_view input, size_t piece) {
  BodyReader skipper(head, kMax);
  Seen seen;
  for (size_t at = 0; at < input.size() && seen.verdict == Verdict::More; at += piece) {
    const BodyReader::Result result = skipper.feed(input.substr(at, piece));
    INVARIANT(result.consumed <= piece);
    INVARIANT((result.verdict == Verdict::Bad) == (result.why != nullptr));
    INVARIANT(skipper.done() == (result.verdict == Verdict::Done));
    seen.verdict = result.verdict;
    seen.consumed += result.consumed;
  }
  return seen;
}

// Where a well-formed chunked body ends, as far as it is framed; kNone: it is not.
size_t second_reading(std::string_view input) {
  size_t at = 0;
  for (;;) {
    const size_t line_end = input.find("\r\n", at);
    if (line_end == kNone) return kNone;
    uint64_t size = 0;
    size_t digits = 0;
    for (; at < line_end; ++at, ++digits) {
      const size_t value =
          std::string_view("0123456789abcdef")
              .find(static_cast<char>(input[at] >= 'A' && input[at] <= 'F' ? input[at] + 32
                                                                           : input[at]));
      if (value == kNone) break;
      size = size * 16 + value;
    }
    if (digits == 0 || digits > 16) return kNone;
    at = line_end + 2;
    if (size == 0) break;
    if (size > input.size() - at || input.substr(at + size, 2) != "\r\n") return kNone;
    at += size + 2;
  }
  while (input.substr(at, 2) != "\r\n") {
    const size_t line_end = input.find("\r\n", at);
    if (line_end == kNone || input.substr(at, line_end - at).find(':') == kNone) return kNone;
    at = line_end + 2;
  }
  return at + 2;
}

// Read as conn/proxy/relay.cpp does: `content` of the whole.
Seen read_runs(BodyReader reader, std::string_view input, size_t piece, std::string& content) {
  Seen seen;
  while (seen.consumed < input.size() && seen.verdict == Verdict::More) {
    const BodyReader::Piece next = reader.next(input.substr(seen.consumed, piece));
    seen.verdict = next.result.verdict;
    seen.consumed += next.result.consumed;
    content += next.content;
    INVARIANT(next.result.consumed > 0 || seen.verdict != Verdict::More);
  }
  return seen;
}

void check_framed_anew(std::string_view input) {
  std::string content, framed, again;
  const Seen whole = read_runs(BodyReader::of_chunks(), input, input.size(), content);
  const Seen split = read_runs(BodyReader::of_chunks(), input, 7, again);
  INVARIANT(whole.verdict == split.verdict);
  if (whole.verdict != Verdict::Done) return;
  INVARIANT(whole.consumed == split.consumed && content == again);
  for (size_t at = 0; at < content.size(); at += 13) {
    const std::string part = content.substr(at, 13);
    framed += "000" + std::string(1, "0123456789abcdef"[part.size()]) + "\r\n" + part + "\r\n";
  }
  framed += "0\r\n\r\n";
  again.clear();
  const Seen anew = read_runs(BodyReader::of_chunks(), framed, framed.size(), again);
  INVARIANT(anew.verdict == Verdict::Done && anew.consumed == framed.size() && again == content);
}

}  // namespace

// The first byte says how the body is framed and in which pieces it comes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input = text_of(data + 1, size - 1);
  RequestHead head;
  head.has_body = true;
  head.chunked = data[0] % 8 != 0;
  if (!head.chunked) head.content_length = 1 + data[0];

  check_framed_anew(input);
  const Seen whole = feed(head, input, size);
  const Seen split = feed(head, input, 1 + data[0] / 8);
  INVARIANT(whole.verdict == split.verdict);
  if (whole.verdict == Verdict::Done || whole.verdict == Verdict::More)
    INVARIANT(whole.consumed == split.consumed && whole.consumed <= kMax);
  if (whole.verdict == Verdict::More) INVARIANT(whole.consumed == input.size());
  if (whole.verdict != Verdict::Done) return 0;
  if (!head.chunked) {
    INVARIANT(whole.consumed == head.content_length);
  } else {
    INVARIANT(second_reading(input) == whole.consumed);
  }
  return 0;
}
