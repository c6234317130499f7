// SPDX-License-Identifier: Apache-2.0
// Fuzzes http/upstream_response: the verdict does not depend on how many bytes have arrived beyond
// the head, and what is written for the client has one meaning: read again, it is the same
// response, framed as was decided, without a field that was to be withheld.
#include "http/upstream_response.hpp"

#include <string>

#include "http/fields.hpp"
#include "http/syntax.hpp"
#include "invariant.hpp"

using namespace spliced;
using namespace spliced::http;

namespace {

constexpr std::string_view kOwn = "X-Frame-Options: DENY\r\nX-Own: 1\r\n";

size_t count(std::string_view head, std::string_view wanted) {
  Fields fields(head);
  std::string_view name, value;
  size_t found = 0;
  while (fields.next(name, value)) found += equals_ignoring_case(name, wanted) ? 1 : 0;
  return found;
}

void check_relayed(std::string_view head, const UpstreamHead& parsed, bool to_head, uint8_t minor) {
  Relay relay;
  const Framing from = framing_of(parsed, to_head);
  relay.framing = framing_to_client(from, minor);
  relay.keep_alive = relay.framing != Framing::Close;
  relay.date = "Thu, 01 Jan 1970 00:00:00 GMT";
  relay.fields = kOwn;
  char out[limits::kOutputBytes];
  const size_t bytes = format_relayed_head(head, parsed, relay, out, sizeof out);
  INVARIANT(bytes > 0);  // limits.hpp asserts that it fits
  const std::string_view written(out, bytes);

  UpstreamHead again;
  const UpstreamHeadResult result = parse_upstream_head(written, again);
  INVARIANT(result.outcome == Outcome::Complete || bytes > limits::kUpstreamHeadBytesMax);
  if (result.outcome != Outcome::Complete) return;
  INVARIANT(result.consumed == bytes);
  INVARIANT(again.status == parsed.status && again.reason == parsed.reason);
  INVARIANT(again.minor_version == 1);
  if (parsed.status < 200) return;
  INVARIANT(framing_of(again, to_head) == relay.framing);
  INVARIANT(again.keep_alive == relay.keep_alive);
  INVARIANT(again.is_event_stream == parsed.is_event_stream);
  if (relay.framing == Framing::Length) INVARIANT(again.content_length == parsed.content_length);
  INVARIANT(count(written, "connection") == 1 && count(written, "date") >= 1);
  INVARIANT(count(written, "x-frame-options") == 1 && count(written, "upgrade") == 0);
  INVARIANT(count(written, "keep-alive") == 0 && count(written, "trailer") == 0);
}

}  // namespace

// The first byte says what the request was.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input = text_of(data + 1, size - 1);
  UpstreamHead head;
  const UpstreamHeadResult result = parse_upstream_head(input, head);
  INVARIANT((result.outcome == Outcome::Rejected) == (result.why != nullptr));
  INVARIANT((result.outcome == Outcome::Complete) == (result.consumed > 0));
  for (size_t cut = 1; cut < input.size(); cut += 1 + input.size() / 16) {
    UpstreamHead other;
    const UpstreamHeadResult part = parse_upstream_head(input.substr(0, cut), other);
    if (part.outcome == Outcome::Rejected) INVARIANT(result.outcome == Outcome::Rejected);
    if (part.outcome == Outcome::Complete)
      INVARIANT(result.outcome == Outcome::Complete && result.consumed == part.consumed);
  }
  if (result.outcome != Outcome::Complete) return 0;
  INVARIANT(head.status >= 100 && head.status <= 599);
  INVARIANT(!(head.chunked && head.has_length) && !(head.chunked && head.minor_version == 0));
  INVARIANT(!head.is_websocket || head.status == 101);
  check_relayed(input.substr(0, result.consumed), head, (data[0] & 1) != 0, (data[0] >> 1) & 1);
  return 0;
}
