// SPDX-License-Identifier: Apache-2.0
// The request-head parser; see head.hpp. It reads line by line. The form of a line is checked
// before its meaning. What depends on several fields (framing, Host) is decided after the last one.
#include "http/head.hpp"

#include "http/syntax.hpp"

namespace spliced::http {
namespace {

constexpr size_t kNone = std::string_view::npos;

struct Fault {
  uint16_t status = 0;  // 0: no fault
  const char* why = nullptr;
  explicit operator bool() const { return status != 0; }
};

HeadResult rejected(Fault fault) {
  return {Outcome::Rejected, 0, fault.status, fault.why};
}

constexpr Fault kBadLine{400, "A line has a control character or does not end in CRLF."};
constexpr Fault kBadRequestLine{400, "The request line is not METHOD SP target SP HTTP/1.x."};

// HTTP-version, RFC 9112 2.3: case-sensitive, one digit each.
Fault parse_version(std::string_view text, RequestHead& out) {
  if (text.size() != 8 || text.substr(0, 5) != "HTTP/" || !is_digit(text[5]) || text[6] != '.' ||
      !is_digit(text[7])) {
    return kBadRequestLine;
  }
  if (text[5] != '1') return {505, "Only HTTP/1.x is spoken here."};
  out.minor_version = static_cast<uint8_t>(text[7] - '0');
  return {};
}

// RFC 9110 9.1: case-sensitive.
Method method_of(std::string_view token) {
  static constexpr struct {
    std::string_view token;
    Method method;
  } kMethods[] = {
      {"GET", Method::Get},     {"HEAD", Method::Head},       {"OPTIONS", Method::Options},
      {"POST", Method::Post},   {"PUT", Method::Put},         {"DELETE", Method::Delete},
      {"PATCH", Method::Patch}, {"CONNECT", Method::Connect}, {"TRACE", Method::Trace},
  };
  for (const auto& known : kMethods)
    if (known.token == token) return known.method;
  return Method::Other;
}

// RFC 9112 3: exactly one SP between the parts. For an incomplete line it reports only faults that
// more bytes cannot cure.
Fault parse_request_line(std::string_view line, bool whole, const HeadLimits& bounds,
                         RequestHead& out) {
  if (line.empty()) return whole ? kBadRequestLine : Fault{};
  const size_t method_end = line.find(' ');
  const std::string_view method = line.substr(0, method_end);
  if (!is_token(method)) return kBadRequestLine;
  if (method_end == kNone) return whole ? kBadRequestLine : Fault{};
  out.method_token = method;
  out.method = method_of(method);

  const std::string_view rest = line.substr(method_end + 1);
  const size_t target_end = rest.find(' ');
  const std::string_view target = rest.substr(0, target_end);
  if (target.size() > bounds.target_bytes_max) return {414, "The request target is too long."};
  for (const char c : target) {
    if (!is_visible(c)) return {400, "The request target has a character that must be encoded."};
  }
  if (target_end == kNone) return whole ? kBadRequestLine : Fault{};
  if (target.empty()) return kBadRequestLine;
  out.target = target;

  const std::string_view version = rest.substr(target_end + 1);
  if (whole) return parse_version(version, out);
  return version.size() > 8 ? kBadRequestLine : Fault{};
}

// What the fields say together, decided after the last one.
struct Pending {
  std::string_view content_length;
  std::string_view transfer_encoding;
  ListField upgrade;
  bool close = false;
  bool keep_alive = false;
  bool upgrades = false;  // Connection: upgrade
};

// A field that must not be repeated: RFC 9110 5.3 forbids that for what is not a list, and parsers
// disagree on which value counts.
struct Singleton {
  std::string_view name;
  std::string_view RequestHead::*view;
  const char* why_repeated;
};

constexpr Singleton kSingletons[] = {
    {"host", &RequestHead::host, "The Host field is repeated."},
    {"range", &RequestHead::range, "The Range field is repeated."},
    {"if-range", &RequestHead::if_range, "The If-Range field is repeated."},
    {"content-range", &RequestHead::content_range, "The Content-Range field is repeated."},
    {"if-unmodified-since", &RequestHead::if_unmodified_since, "If-Unmodified-Since is repeated."},
};

Fault set_once(std::string_view& view, std::string_view value, const char* why_repeated) {
  if (view.data() != nullptr) return {400, why_repeated};
  view = value;
  return {};
}

// RFC 9110 7.6.1: a list of options. The lines of a repeated field form one list (5.3).
Fault parse_connection(std::string_view list, Pending& pending) {
  std::string_view option;
  while (next_element(list, option)) {
    if (!is_token(option)) return {400, "The Connection field is not a list of tokens."};
    if (equals_ignoring_case(option, "close")) pending.close = true;
    if (equals_ignoring_case(option, "keep-alive")) pending.keep_alive = true;
    if (equals_ignoring_case(option, "upgrade")) pending.upgrades = true;
  }
  return {};
}

// RFC 9110 10.1.1. Other expectations are ignored: answering 417 is a MAY.
void parse_expect(std::string_view list, RequestHead& out) {
  std::string_view expectation;
  while (next_element(list, expectation)) {
    if (equals_ignoring_case(expectation, "100-continue")) out.expect_continue = true;
  }
}

Fault keep_field(std::string_view name, std::string_view value, RequestHead& out,
                 Pending& pending) {
  for (const Singleton& field : kSingletons) {
    if (equals_ignoring_case(name, field.name)) {
      return set_once(out.*field.view, value, field.why_repeated);
    }
  }
  if (equals_ignoring_case(name, "content-length")) {
    return set_once(pending.content_length, value, "The Content-Length field is repeated.");
  }
  if (equals_ignoring_case(name, "transfer-encoding")) {
    return set_once(pending.transfer_encoding, value, "The Transfer-Encoding field is repeated.");
  }
  if (equals_ignoring_case(name, "connection")) return parse_connection(value, pending);
  if (equals_ignoring_case(name, "expect")) parse_expect(value, out);
  if (equals_ignoring_case(name, "upgrade")) pending.upgrade.add(name, value);
  if (equals_ignoring_case(name, "accept")) out.accept.add(name, value);
  if (equals_ignoring_case(name, "accept-encoding")) out.accept_encoding.add(name, value);
  if (equals_ignoring_case(name, "if-match")) out.if_match.add(name, value);
  if (equals_ignoring_case(name, "if-none-match")) out.if_none_match.add(name, value);
  return {};
}

// RFC 9112 5: field-name ":" OWS field-value OWS, no space before the colon (5.1), no folding
// (5.2).
Fault parse_field(std::string_view line, RequestHead& out, Pending& pending) {
  if (line.front() == ' ' || line.front() == '\t') return {400, "A header field is folded."};
  const size_t colon = line.find(':');
  if (colon == kNone) return {400, "A header field has no colon."};
  const std::string_view name = line.substr(0, colon);
  if (!is_token(name)) return {400, "A header field's name is not a token."};
  return keep_field(name, trim(line.substr(colon + 1)), out, pending);
}

// RFC 9112 6.1 and 6.3. If chunked is not the last coding, exactly once, the end of the body cannot
// be known. If other codings precede it, the end is known but the content is not understood.
Fault parse_transfer_encoding(std::string_view list) {
  std::string_view coding, last;
  size_t count = 0, chunked = 0;
  for (; next_element(list, coding); ++count) {
    if (equals_ignoring_case(coding, "chunked")) ++chunked;
    last = coding;
  }
  if (chunked != 1 || !equals_ignoring_case(last, "chunked"))
    return {400, "The last transfer coding is not chunked."};
  if (count > 1) return {501, "The only transfer coding understood is chunked."};
  return {};
}

// RFC 9112 6.1 and 6.3. Where 6.3 leaves a choice to the server, this is stricter: it never
// guesses.
Fault settle_framing(const Pending& pending, RequestHead& out) {
  const bool has_length = pending.content_length.data() != nullptr;
  if (has_length) {
    bool overflow = false;
    if (!parse_number(pending.content_length, out.content_length, overflow) || overflow) {
      return {400, "The Content-Length field is not a number."};
    }
    out.has_body = out.content_length > 0;
  }
  if (pending.transfer_encoding.data() != nullptr) {
    if (has_length) return {400, "Content-Length and Transfer-Encoding exclude each other."};
    if (out.minor_version == 0) return {400, "HTTP/1.0 has no Transfer-Encoding."};
    if (const Fault fault = parse_transfer_encoding(pending.transfer_encoding)) return fault;
    out.chunked = true;
    out.has_body = true;
  }
  return {};
}

Fault settle(const Pending& pending, RequestHead& out) {
  // RFC 9112 3.2: exactly one Host, valid even if the target is in absolute-form.
  if (out.host.data() == nullptr) {
    if (out.minor_version > 0) return {400, "An HTTP/1.1 request needs a Host field."};
  } else if (!is_valid_host(out.host)) {
    return {400, "The Host field is not a host name with an optional port."};
  }
  // RFC 9112 9.3: close wins; HTTP/1.0 persists only when asked to.
  out.keep_alive = !pending.close && (out.minor_version > 0 || pending.keep_alive);
  // RFC 9110 10.1.1: an HTTP/1.0 client cannot understand 100 (Continue).
  if (out.minor_version == 0) out.expect_continue = false;
  if (const Fault fault = settle_framing(pending, out)) return fault;
  // RFC 9110 7.8: not for HTTP/1.0, and only with the connection option.
  out.upgrades_to_websocket = out.minor_version > 0 && pending.upgrades && !out.has_body &&
                              out.method == Method::Get &&
                              has_element(pending.upgrade, "websocket");
  return {};
}

// The line is incomplete: wait for the rest, unless the head has reached its bound.
HeadResult unfinished(std::string_view window, const HeadLimits& bounds) {
  if (window.size() < bounds.head_bytes_max) return {Outcome::Incomplete, 0, 0, nullptr};
  return rejected({431, "The request head is too long."});
}

}  // namespace

HeadResult parse_head(std::string_view input, RequestHead& out, const HeadLimits& bounds) {
  out = RequestHead{};
  const std::string_view window = input.substr(0, bounds.head_bytes_max);
  size_t at = 0;
  Line line = read_line(window);
  if (line.end == LineEnd::Whole && line.text.empty()) {  // RFC 9112 2.2: one empty line before it
    at = 2;
    line = read_line(window.substr(at));
  }
  if (line.end == LineEnd::Bad) return rejected(kBadLine);
  if (const Fault fault = parse_request_line(line.text, line.end == LineEnd::Whole, bounds, out)) {
    return rejected(fault);
  }

  Pending pending;
  for (size_t fields = 0; line.end == LineEnd::Whole; ++fields) {
    at += line.text.size() + 2;
    line = read_line(window.substr(at));
    if (line.end == LineEnd::Bad) return rejected(kBadLine);
    if (line.end == LineEnd::Whole && line.text.empty()) {
      if (const Fault fault = settle(pending, out)) return rejected(fault);
      return {Outcome::Complete, at + 2, 0, nullptr};
    }
    if (fields == bounds.fields_max && !line.text.empty()) {
      return rejected({431, "The request has too many header fields."});
    }
    if (line.end == LineEnd::Partial) break;
    if (const Fault fault = parse_field(line.text, out, pending)) return rejected(fault);
  }
  return unfinished(window, bounds);
}

}  // namespace spliced::http
