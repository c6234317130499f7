// SPDX-License-Identifier: Apache-2.0
// See check_request.hpp.
#include "http/check_request.hpp"

#include "http/fields.hpp"
#include "http/syntax.hpp"
#include "http/writer.hpp"

namespace spliced::http {
namespace {

bool begins_with(std::string_view name, std::string_view prefix) {
  return equals_ignoring_case(name.substr(0, prefix.size()), prefix);
}

// Fields of the body, which is not sent, and fields that could change an answer without a body.
bool concerns_the_body(std::string_view name) {
  static constexpr std::string_view kPrefixes[] = {"content-", "if-", "sec-websocket-",
                                                   "x-original-"};
  for (const std::string_view prefix : kPrefixes)
    if (begins_with(name, prefix)) return true;
  return equals_ignoring_case(name, "range") || equals_ignoring_case(name, "expect") ||
         equals_ignoring_case(name, "accept-encoding");
}

}  // namespace

size_t format_check_request(std::string_view head, const RequestHead& request,
                            const Forwarding& forwarding, std::string_view path, char* out,
                            size_t capacity) {
  if (forwarding.host.size() > limits::kForwardedHostBytesMax) return 0;
  Writer writer(out, capacity);
  writer.text("GET ");
  writer.text(path);
  writer.text(" HTTP/1.1\r\n");
  writer.line("Host", forwarding.host);
  Fields fields(head);
  std::string_view name, value;
  while (fields.next(name, value))
    if (passes_on(head, name) && !concerns_the_body(name))
      write_passed_on(name, value, forwarding.own, writer);
  const std::string_view target = origin_form(request.target);
  for (const std::string_view of : {"X-Forwarded-Uri", "X-Original-URI"}) {
    writer.text(of);
    writer.text(target.front() == '?' ? ": /" : ": ");
    writer.text(target);
    writer.text("\r\n");
  }
  writer.line("X-Forwarded-Method", request.method_token);
  writer.line("X-Original-Method", request.method_token);
  write_forwarding(forwarding, writer);
  writer.text("\r\n");
  return writer.size();
}

bool has_bearer_token(std::string_view head) {
  constexpr std::string_view kScheme = "bearer ";
  Fields fields(head);
  std::string_view name, value;
  while (fields.next(name, value))
    if (equals_ignoring_case(name, "authorization") && begins_with(value, kScheme)) return true;
  return false;
}

bool may_be_remembered(std::string_view head) {
  Fields fields(head);
  std::string_view name, value, element;
  while (fields.next(name, value)) {
    if (equals_ignoring_case(name, "set-cookie")) return false;
    if (!equals_ignoring_case(name, "cache-control")) continue;
    // Also no-cache="field", and the word inside a quoted string: in doubt the check is asked
    // again.
    while (next_element(value, element))
      if (begins_with(element, "no-store") || begins_with(element, "no-cache")) return false;
  }
  return true;
}

std::string chosen_fields(std::string_view head, const std::vector<std::string>& names) {
  std::string lines;
  Fields fields(head);
  std::string_view name, value;
  while (fields.next(name, value))
    for (const std::string& wanted : names)
      if (equals_ignoring_case(name, wanted) && !is_hop_by_hop(name))
        lines.append(name).append(": ").append(value).append("\r\n");
  return lines;
}

}  // namespace spliced::http
