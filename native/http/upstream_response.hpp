// SPDX-License-Identifier: Apache-2.0
// The head of a backend's response: parsed strictly (RFC 9110, RFC 9112 4 to 6), and written anew
// for the client. Called by conn's relay. Where a body ends is decided here for both sides; what
// two parsers would read differently is refused, as in head.hpp. No I/O, no allocation, no
// exceptions.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/limits.hpp"
#include "http/head.hpp"

namespace spliced::http {

// How a body is delimited (RFC 9112 6.3). Close: it goes on until the connection ends.
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

// All bytes of the response received so far. `out` is valid when the result is Complete. A result
// other than Incomplete does not change when more bytes follow, save that a rejection may find
// another reason.
[[nodiscard]] UpstreamHeadResult parse_upstream_head(
    std::string_view input, UpstreamHead& out,
    size_t head_bytes_max = limits::kUpstreamHeadBytesMax);

// Of the response's body on the backend's connection. `to_head`: the request was HEAD.
Framing framing_of(const UpstreamHead& head, bool to_head);

// How it goes to the client, which speaks HTTP/1.`minor_version`.
Framing framing_to_client(Framing from_upstream, uint8_t minor_version);

struct Relay {
  Framing framing = Framing::None;
  bool keep_alive = false;
  bool trailers = false;    // they go on behind the content
  bool tunnel = false;      // a 101, for a client that has asked by RFC 8441: 200, without a key
  std::string_view date;    // sent where the backend has none (RFC 9110 6.6.1)
  std::string_view fields;  // whole lines of the route: each replaces the backend's of that name
};

// `head`: the bytes that `parsed` was read from. The bytes written; 0 if they do not fit.
[[nodiscard]] size_t format_relayed_head(std::string_view head, const UpstreamHead& parsed,
                                         const Relay& relay, char* out, size_t capacity);

}  // namespace spliced::http
