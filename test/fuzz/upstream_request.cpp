// SPDX-License-Identifier: Apache-2.0
// Fuzzes http/upstream_request: whatever a client's head was, what is written for the application
// is one request, read again with the same method, host and body, and says of the client what we
// say.
#include "http/upstream_request.hpp"

#include <algorithm>
#include <string>

#include "http/fields.hpp"
#include "http/syntax.hpp"
#include "invariant.hpp"

using namespace spliced;
using namespace spliced::http;

namespace {

bool is_like(std::string_view name, std::string_view known) {
  std::string plain(name);
  std::replace(plain.begin(), plain.end(), '_', '-');
  return equals_ignoring_case(plain, known);
}

// Every field that could be taken for this one.
std::string all_of(std::string_view head, std::string_view wanted) {
  Fields fields(head);
  std::string_view name, value;
  std::string found;
  while (fields.next(name, value))
    if (is_like(name, wanted)) found += std::string(value) + ";";
  return found;
}

}  // namespace

// The first byte says whether the client has shown a certificate.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input = text_of(data + 1, size - 1);
  RequestHead request;
  const HeadResult result = parse_head(input, request);
  if (result.outcome != Outcome::Complete) return 0;
  Forwarding forwarding;
  forwarding.host = request.host;
  forwarding.client_address = (data[0] & 2) != 0 ? "2001:db8::1" : "192.0.2.1";
  forwarding.request_id = "id-1";
  const bool shown = (data[0] & 1) != 0;
  if (shown) {
    forwarding.certificate_subject = "CN=unit";
    forwarding.certificate_fingerprint = "abcd";
  }
  char out[limits::kInputBytes];
  const size_t bytes = format_upstream_request(input.substr(0, result.consumed), request,
                                               forwarding, out, sizeof out);
  INVARIANT((bytes == 0) == (request.host.size() > limits::kForwardedHostBytesMax));
  if (bytes == 0) return 0;
  const std::string_view written(out, bytes);
  INVARIANT(all_of(written, "x-forwarded-for") == std::string(forwarding.client_address) + ";");
  INVARIANT(all_of(written, "x-forwarded-proto") == "https;");
  INVARIANT(all_of(written, "x-request-id") == "id-1;");
  INVARIANT(all_of(written, "x-client-certificate-subject") == (shown ? "CN=unit;" : ""));
  INVARIANT(all_of(written, "x-client-certificate-fingerprint") == (shown ? "abcd;" : ""));
  INVARIANT(all_of(written, "x-real-ip").empty() && all_of(written, "proxy").empty());
  INVARIANT(!lines_have(written.substr(written.find('\n') + 1), "keep-alive"));
  if (bytes > limits::kHeadBytesMax || request.host.empty()) return 0;

  RequestHead again;
  HeadLimits bounds;
  bounds.fields_max = limits::kHeaderFieldsMax + 16;
  bounds.target_bytes_max = limits::kTargetBytesMax + 1;  // a slash before a bare query
  const HeadResult reread = parse_head(written, again, bounds);
  INVARIANT(reread.outcome == Outcome::Complete && reread.consumed == bytes);
  INVARIANT(again.method_token == request.method_token && again.host == request.host);
  INVARIANT(again.has_body == request.has_body && again.chunked == request.chunked);
  INVARIANT(again.content_length == request.content_length && again.minor_version == 1);
  INVARIANT(again.upgrades_to_websocket == request.upgrades_to_websocket);
  return 0;
}
