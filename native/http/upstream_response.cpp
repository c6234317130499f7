// SPDX-License-Identifier: Apache-2.0
// See upstream_response.hpp.
#include "http/upstream_response.hpp"

#include "http/fields.hpp"
#include "http/hand_over.hpp"
#include "http/syntax.hpp"
#include "http/writer.hpp"

namespace spliced::http {
namespace {

constexpr size_t kStatusLineBytesMin = 12;  // "HTTP/1.1 200"

UpstreamHeadResult rejected(const char* why) {
  return {Outcome::Rejected, 0, why};
}

bool has_body(uint16_t status) {
  return status >= 200 && status != 204 && status != 304;
}

// RFC 9112 4. A missing space before an empty reason phrase is common and harmless.
const char* parse_status_line(std::string_view line, UpstreamHead& out) {
  constexpr const char* kBad = "The status line is not HTTP/1.x SP status SP reason.";
  if (line.size() < kStatusLineBytesMin || line.substr(0, 7) != "HTTP/1." || !is_digit(line[7]) ||
      line[8] != ' ')
    return kBad;
  out.minor_version = static_cast<uint8_t>(line[7] - '0');
  for (size_t i = 9; i < kStatusLineBytesMin; i++) {
    if (!is_digit(line[i])) return kBad;
    out.status = static_cast<uint16_t>(out.status * 10 + (line[i] - '0'));
  }
  if (out.status < 100 || out.status > 599) return "The status is not one of 100 to 599.";
  if (line.size() == kStatusLineBytesMin) return nullptr;
  if (line[kStatusLineBytesMin] != ' ') return kBad;
  out.reason = line.substr(kStatusLineBytesMin + 1);
  return nullptr;
}

struct Pending {
  std::string_view content_length, transfer_encoding;
  bool close = false, keep_alive = false, upgrades = false;
};

const char* set_once(std::string_view& view, std::string_view value, const char* why_repeated) {
  if (view.data() != nullptr) return why_repeated;
  view = value;
  return nullptr;
}

const char* parse_connection(std::string_view list, Pending& pending) {
  std::string_view option;
  while (next_element(list, option)) {
    if (!is_token(option)) return "The Connection field is not a list of tokens.";
    if (equals_ignoring_case(option, "close")) pending.close = true;
    if (equals_ignoring_case(option, "keep-alive")) pending.keep_alive = true;
    if (equals_ignoring_case(option, "upgrade")) pending.upgrades = true;
  }
  return nullptr;
}

const char* parse_field(std::string_view line, UpstreamHead& out, Pending& pending) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return "A header field has no colon.";
  const std::string_view name = line.substr(0, colon);
  if (!is_token(name)) return "A header field is folded, or its name is not a token.";
  const std::string_view value = trim(line.substr(colon + 1));
  if (equals_ignoring_case(name, "content-length"))
    return set_once(pending.content_length, value, "The Content-Length field is repeated.");
  if (equals_ignoring_case(name, "transfer-encoding"))
    return set_once(pending.transfer_encoding, value, "The Transfer-Encoding field is repeated.");
  if (equals_ignoring_case(name, "upgrade")) out.upgrade.add(name, value);
  if (equals_ignoring_case(name, "connection")) return parse_connection(value, pending);
  if (equals_ignoring_case(name, "sec-websocket-accept")) out.websocket_accept = value;
  if (equals_ignoring_case(name, "content-type")) {
    const std::string_view type = trim(value.substr(0, value.find(';')));
    out.is_event_stream = equals_ignoring_case(type, "text/event-stream");
  }
  return nullptr;
}

// RFC 9112 6.3. Framing fields of an interim response, a 204 or a 304, which have no body, are
// ignored, but they must be well-formed.
const char* settle(const Pending& pending, UpstreamHead& out) {
  out.has_length = pending.content_length.data() != nullptr;
  if (out.has_length) {
    bool overflow = false;
    if (!parse_number(pending.content_length, out.content_length, overflow) || overflow)
      return "The Content-Length field is not a number.";
  }
  if (pending.transfer_encoding.data() != nullptr) {
    if (out.has_length) return "Content-Length and Transfer-Encoding exclude each other.";
    if (out.minor_version == 0) return "HTTP/1.0 has no Transfer-Encoding.";
    if (!equals_ignoring_case(pending.transfer_encoding, "chunked"))
      return "The only transfer coding understood is chunked.";
    out.chunked = true;
  }
  out.keep_alive = !pending.close && (out.minor_version > 0 || pending.keep_alive);
  out.is_websocket = out.status == 101 && pending.upgrades &&
                     out.websocket_accept.data() != nullptr &&
                     equals_ignoring_case(trim(out.upgrade.text), "websocket");
  return nullptr;
}

// Fields of the backend that the client does not get.
bool is_withheld(std::string_view head, const UpstreamHead& parsed, const Relay& relay,
                 std::string_view name) {
  if (relay.tunnel && equals_ignoring_case(name, "sec-websocket-accept")) return true;
  const bool announces = relay.trailers && equals_ignoring_case(name, "trailer");
  if (is_hop_by_hop(name) && !announces) return true;
  if (equals_ignoring_case(name, "content-length")) return true;
  if (is_hand_over_field(name) || lines_have(relay.fields, name)) return true;
  return parsed.status != 101 && connection_names(head, name);
}

void write_framing(const UpstreamHead& parsed, const Relay& relay, Writer& writer) {
  if (parsed.status < 200 || parsed.status == 204) return;
  if (relay.framing == Framing::Chunked) writer.text("Transfer-Encoding: chunked\r\n");
  if (!parsed.has_length || relay.framing == Framing::Chunked || relay.framing == Framing::Close)
    return;
  writer.text("Content-Length: ");
  writer.number(parsed.content_length);
  writer.text("\r\n");
}

void write_connection(const UpstreamHead& parsed, const Relay& relay, Writer& writer) {
  if (parsed.status == 101) {
    writer.text("Connection: Upgrade\r\nUpgrade: websocket\r\n");
    return;
  }
  if (parsed.status < 200) return;
  // RFC 9110 15.5.22: a 426 must name protocols in Upgrade. Elsewhere Upgrade is an offer that we
  // cannot keep.
  const bool upgrade = parsed.status == 426 && parsed.upgrade.is_present();
  writer.text(relay.keep_alive ? "Connection: keep-alive" : "Connection: close");
  writer.text(upgrade ? ", Upgrade\r\n" : "\r\n");
  ListField rest = upgrade ? parsed.upgrade : ListField();
  std::string_view protocols;
  while (take_line(rest, protocols)) {
    writer.text("Upgrade: ");
    writer.text(protocols);
    writer.text("\r\n");
  }
}

}  // namespace

UpstreamHeadResult parse_upstream_head(std::string_view input, UpstreamHead& out,
                                       size_t head_bytes_max) {
  out = UpstreamHead{};
  const std::string_view window = input.substr(0, head_bytes_max);
  constexpr const char* kBadLine = "A line has a control character or does not end in CRLF.";
  const UpstreamHeadResult unfinished = window.size() < head_bytes_max
                                            ? UpstreamHeadResult{Outcome::Incomplete, 0, nullptr}
                                            : rejected("The head is too long.");
  Line line = read_line(window);
  if (line.end == LineEnd::Bad) return rejected(kBadLine);
  if (line.end == LineEnd::Partial) return unfinished;
  if (const char* why = parse_status_line(line.text, out)) return rejected(why);
  Pending pending;
  size_t at = 0;
  for (size_t fields = 0;; fields++) {
    at += line.text.size() + 2;
    line = read_line(window.substr(at));
    if (line.end == LineEnd::Bad) return rejected(kBadLine);
    if (line.end == LineEnd::Partial) return unfinished;
    if (line.text.empty()) {
      if (const char* why = settle(pending, out)) return rejected(why);
      return {Outcome::Complete, at + 2, nullptr};
    }
    if (fields == limits::kUpstreamFieldsMax) return rejected("There are too many header fields.");
    if (const char* why = parse_field(line.text, out, pending)) return rejected(why);
  }
}

Framing framing_of(const UpstreamHead& head, bool to_head) {
  if (to_head || !has_body(head.status)) return Framing::None;
  if (head.chunked) return Framing::Chunked;
  return head.has_length ? Framing::Length : Framing::Close;
}

Framing framing_to_client(Framing from_upstream, uint8_t minor_version) {
  if (from_upstream == Framing::None || from_upstream == Framing::Length) return from_upstream;
  return minor_version > 0 ? Framing::Chunked : Framing::Close;
}

size_t format_relayed_head(std::string_view head, const UpstreamHead& parsed, const Relay& relay,
                           char* out, size_t capacity) {
  Writer writer(out, capacity);
  writer.text("HTTP/1.1 ");
  writer.number(relay.tunnel ? 200 : parsed.status);
  writer.text(" ");
  writer.text(parsed.reason);
  writer.text("\r\n");
  bool has_date = parsed.status < 200;
  Fields fields(head);
  std::string_view name, value;
  while (fields.next(name, value)) {
    if (is_withheld(head, parsed, relay, name)) continue;
    has_date = has_date || equals_ignoring_case(name, "date");
    writer.text(name);
    writer.text(": ");
    writer.text(value);
    writer.text("\r\n");
  }
  if (!has_date) writer.field("Date", relay.date, relay.date.size());
  if (parsed.status >= 200) writer.text(relay.fields);
  write_framing(parsed, relay, writer);
  write_connection(parsed, relay, writer);
  writer.text("\r\n");
  return writer.size();
}

}  // namespace spliced::http
