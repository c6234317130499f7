// SPDX-License-Identifier: Apache-2.0
// The head of a backend's response: parsed strictly (RFC 9110, RFC 9112 4 to 6) and written anew
// for the client. Called by conn's relay. It decides for both sides where a body ends, and refuses
// what two parsers would read differently, as head.hpp does. No I/O, no allocation, no exceptions.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/limits.hpp"
#include "http/head.hpp"

namespace spliced::http {

// How a body is delimited (RFC 9112 6.3). Close: by the end of the connection.
enum class Framing : uint8_t { None, Length, Chunked, Close };

// Views into the input of parse_upstream_head.
struct UpstreamHead {
  uint16_t status = 0;  // 100 to 599
  std::string_view reason;
  uint8_t minor_version = 0;
  bool keep_alive = false;  // the backend lets the connection persist
  bool chunked = false;
  bool has_length = false;
  uint64_t content_length = 0;
  ListField upgrade;
  bool is_websocket = false;     // 101, with the fields of RFC 6455 4.2.2
  std::string_view websocket_accept;
  bool is_event_stream = false;  // Content-Type: text/event-stream
};

struct UpstreamHeadResult {
  Outcome outcome;
  size_t consumed;  // Complete: bytes of the head; otherwise 0
  const char* why;  // Rejected: a static sentence; otherwise nullptr
};

// `input` is all bytes of the response received so far. `out` is valid when the result is Complete.
// A result other than Incomplete does not change when more bytes follow, except that a rejection
// may have another reason.
[[nodiscard]] UpstreamHeadResult parse_upstream_head(
    std::string_view input, UpstreamHead& out,
    size_t head_bytes_max = limits::kUpstreamHeadBytesMax);

// Framing of the body on the backend's connection. `to_head`: the request was HEAD.
Framing framing_of(const UpstreamHead& head, bool to_head);

// Framing towards the client, which speaks HTTP/1.`minor_version`.
Framing framing_to_client(Framing from_upstream, uint8_t minor_version);

struct Relay {
  Framing framing = Framing::None;
  bool keep_alive = false;
  bool trailers = false;  // trailers follow the content
  bool tunnel = false;    // a 101 for an RFC 8441 client: sent as 200, without a key
  std::string_view date;  // sent if the backend sends none (RFC 9110 6.6.1)
  // Whole lines of the route; each replaces the backend's of the same name.
  std::string_view fields;
};

// `head`: the bytes from which `parsed` was parsed. Returns the bytes written; 0 if they do not
// fit.
[[nodiscard]] size_t format_relayed_head(std::string_view head, const UpstreamHead& parsed,
                                         const Relay& relay, char* out, size_t capacity);

}  // namespace spliced::http
