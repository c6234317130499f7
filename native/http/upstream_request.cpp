// SPDX-License-Identifier: Apache-2.0
// See upstream_request.hpp.
#include "http/upstream_request.hpp"

#include <algorithm>

#include "http/fields.hpp"
#include "http/hand_over.hpp"
#include "http/syntax.hpp"
#include "http/trailers.hpp"
#include "http/writer.hpp"

namespace spliced::http {
namespace {

constexpr size_t kNone = std::string_view::npos;

// RFC 3875 4.1.18 maps "Content-Length" and "Content_Length" to one variable. Programs behind such
// an interface cannot tell them apart; some do so with every character that a variable's name
// cannot have.
bool is_ambiguous_name(std::string_view name) {
  for (const char c : name)
    if (!is_alpha(c) && !is_digit(c) && c != '-') return true;
  return false;
}

// Fields that only we may set.
bool is_forged(std::string_view name) {
  static constexpr std::string_view kPrefixes[] = {"x-forwarded-", "x-client-certificate-",
                                                   "spliced-"};
  // CGI programs get Proxy as HTTP_PROXY, and then believe it.
  static constexpr std::string_view kNames[] = {"forwarded", "x-request-id", "x-real-ip", "proxy"};
  for (const std::string_view prefix : kPrefixes)
    if (equals_ignoring_case(name.substr(0, prefix.size()), prefix)) return true;
  for (const std::string_view known : kNames)
    if (equals_ignoring_case(name, known)) return true;
  return is_hand_over_field(name);
}

// Fields that are written from the parsed request.
bool is_rewritten(std::string_view name) {
  return equals_ignoring_case(name, "host") || equals_ignoring_case(name, "content-length") ||
         equals_ignoring_case(name, "expect");
}

bool is_reserved_name(const Forwarding& forwarding, std::string_view name) {
  if (forwarding.reserved == nullptr) return false;
  for (const std::string& reserved : *forwarding.reserved)
    if (equals_ignoring_case(name, reserved)) return true;
  return false;
}

void write_client_fields(std::string_view head, const Forwarding& forwarding, Writer& writer) {
  Fields fields(head);
  std::string_view name, value;
  while (fields.next(name, value))
    if (passes_on(head, name) && !is_reserved_name(forwarding, name))
      write_passed_on(name, value, forwarding.own, writer);
}

// RFC 6265 4.2.1: NAME=VALUE.
bool is_session(std::string_view pair) {
  return trim(pair.substr(0, pair.find('='))) == kSessionCookie;
}

// RFC 9112 6.3: framing comes from the parsed request, so that the request has one reading. RFC
// 9110 8.6: a method that defines a meaning for a body declares an empty one.
void write_framing(const RequestHead& request, Writer& writer) {
  if (request.chunked) return writer.line("Transfer-Encoding", "chunked");
  const bool expected = request.method == Method::Post || request.method == Method::Put ||
                        request.method == Method::Patch;
  if (!request.has_body && !expected) return;
  writer.text("Content-Length: ");
  writer.number(request.content_length);
  writer.text("\r\n");
}

// RFC 7239 4: an IPv6 address and a host with its port are quoted strings.
void write_forwarded(const Forwarding& forwarding, Writer& writer) {
  const bool v6 = forwarding.client_address.find(':') != kNone;
  writer.text("Forwarded: for=");
  writer.text(v6 ? "\"[" : "");
  writer.text(forwarding.client_address);
  writer.text(v6 ? "]\"" : "");
  if (!forwarding.host.empty()) {
    writer.text(";host=\"");
    writer.text(forwarding.host);
    writer.text("\"");
  }
  writer.text(";proto=https\r\n");
}

}  // namespace

bool passes_on(std::string_view head, std::string_view name) {
  return !is_hop_by_hop(name) && !is_forged(name) && !is_rewritten(name) &&
         !is_ambiguous_name(name) && !connection_names(head, name);
}

void write_passed_on(std::string_view name, std::string_view value, bool own, Writer& writer) {
  if (own || !equals_ignoring_case(name, "cookie") || value.find(kSessionCookie) == kNone)
    return writer.line(name, value);
  std::string_view before = ": ";
  for (size_t begin = 0; begin <= value.size();) {
    const size_t end = std::min(value.find(';', begin), value.size());
    const std::string_view pair = trim(value.substr(begin, end - begin));
    begin = end + 1;
    if (pair.empty() || is_session(pair)) continue;
    if (before == ": ") writer.text(name);
    writer.text(before);
    writer.text(pair);
    before = "; ";
  }
  if (before != ": ") writer.text("\r\n");
}

void write_forwarding(const Forwarding& forwarding, Writer& writer) {
  writer.line("X-Forwarded-For", forwarding.client_address);
  writer.line("X-Forwarded-Proto", "https");
  if (!forwarding.host.empty()) writer.line("X-Forwarded-Host", forwarding.host);
  write_forwarded(forwarding, writer);
  writer.line("X-Request-Id", forwarding.request_id);
  if (forwarding.certificate_fingerprint.data() == nullptr) return;
  writer.line("X-Client-Certificate-Subject", forwarding.certificate_subject);
  writer.line("X-Client-Certificate-Fingerprint", forwarding.certificate_fingerprint);
}

std::string_view origin_form(std::string_view target) {
  if (!target.empty() && target.front() == '/') return target;
  const size_t authority = target.find("://");
  if (authority == kNone) return target;
  const size_t path = target.find_first_of("/?", authority + 3);
  return path == kNone ? "/" : target.substr(path);
}

bool is_ambiguous_path(std::string_view target) {
  target = origin_form(target);
  target = target.substr(0, target.find('?'));
  size_t dots = 0;
  bool named = false, parameters = false;
  for (size_t i = 0; i <= target.size(); i++) {
    char c = i < target.size() ? target[i] : '/';
    if (c == '%' && target.size() - i > 2) {
      c = static_cast<char>(hex_value(target[i + 1]) * 16 + hex_value(target[i + 2]));
      i += 2;
    }
    if (c == '\\') return true;
    if (c == '/') {
      if (!named && (dots == 1 || dots == 2 || (dots == 0 && parameters))) return true;
      dots = 0;
      named = parameters = false;
    } else if (c == ';') {
      parameters = true;
    } else if (!parameters) {
      if (c == '.')
        dots++;
      else
        named = true;
    }
  }
  return false;
}

size_t format_upstream_request(std::string_view head, const RequestHead& request,
                               const Forwarding& forwarding, char* out, size_t capacity) {
  if (forwarding.host.size() > limits::kForwardedHostBytesMax) return 0;
  Writer writer(out, capacity);
  const std::string_view target = origin_form(request.target);
  writer.text(request.method_token);
  writer.text(" ");
  if (target.front() == '?') writer.text("/");
  writer.text(target);
  writer.text(" HTTP/1.1\r\n");
  writer.line("Host", forwarding.host);
  write_client_fields(head, forwarding, writer);
  write_framing(request, writer);
  if (request.expect_continue && request.has_body) writer.line("Expect", "100-continue");
  writer.text(forwarding.added);
  write_forwarding(forwarding, writer);
  if (request.upgrades_to_websocket)
    writer.text("Connection: Upgrade\r\nUpgrade: websocket\r\n");
  else if (request.minor_version > 0 && takes_trailers(head))
    writer.text("TE: trailers\r\nConnection: TE\r\n");  // RFC 9110 10.1.4
  writer.text("\r\n");
  return writer.size();
}

}  // namespace spliced::http
