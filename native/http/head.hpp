// SPDX-License-Identifier: Apache-2.0
// Parses one HTTP/1.x request head, strictly (RFC 9110, RFC 9112). Called by conn's read_head with
// all bytes received so far, each time more arrive. limits.hpp bounds a head, so parsing again from
// its first byte is affordable. What is ambiguous is refused, never repaired: requests are smuggled
// through what two parsers read differently. No I/O, no allocation, no exceptions.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/limits.hpp"
#include "http/fields.hpp"

namespace spliced::http {

enum class Outcome : uint8_t { Incomplete, Complete, Rejected };

// Other: a method that is not known here. A known method is not allowed everywhere.
enum class Method : uint8_t { Get, Head, Options, Post, Put, Delete, Patch, Connect, Trace, Other };

// GET and HEAD: methods that ask for a representation (RFC 9110 9.3.1, 9.3.2).
constexpr bool retrieves(Method method) {
  return method == Method::Get || method == Method::Head;
}

// Views into the input of parse_head, valid as long as those bytes stay in place. An absent field
// has data() == nullptr; a present one with an empty value has not.
struct RequestHead {
  Method method = Method::Other;
  std::string_view method_token;
  std::string_view target;
  std::string_view host;
  uint8_t minor_version = 0;     // the x of HTTP/1.x; above 1 it is served as 1.1 (RFC 9110 2.5)
  bool keep_alive = false;       // the peer lets the connection persist (RFC 9112 9.3)
  bool has_body = false;         // body bytes follow the head (RFC 9112 6.3)
  bool chunked = false;          // ... framed by the chunked coding
  bool expect_continue = false;  // RFC 9110 10.1.1
  bool upgrades_to_websocket = false;  // RFC 6455 4.2.1: one of Upgrade's values
  uint64_t content_length = 0;         // 0 when the field is absent

  // List fields, which may come in several lines.
  ListField accept;
  ListField accept_encoding;
  ListField if_match;
  ListField if_none_match;
  // No lists; a repeated one is refused. If-Modified-Since is ignored, see conditions.hpp.
  std::string_view if_unmodified_since;
  std::string_view range;
  std::string_view if_range;
  std::string_view content_range;  // of a PUT, RFC 9110 14.5
};

struct HeadResult {
  Outcome outcome;
  size_t consumed;  // Complete: bytes of the head, an empty line before it included; otherwise 0
  uint16_t status;  // Rejected: the status to answer with, then close; otherwise 0
  const char* why;  // Rejected: one static sentence for the log; otherwise nullptr
};

// Bounds of one head. A configuration may set lower ones than these (limits.hpp).
struct HeadLimits {
  size_t head_bytes_max = limits::kHeadBytesMax;
  size_t target_bytes_max = limits::kTargetBytesMax;
  size_t fields_max = limits::kHeaderFieldsMax;
};

// `out` is valid when the result is Complete. When it is Rejected, `out` has what was parsed before
// the fault: the method, if the request line had one, because the answer to a HEAD has no body. A
// result other than Incomplete does not change when more bytes follow, except that a rejection may
// have another reason.
[[nodiscard]] HeadResult parse_head(std::string_view input, RequestHead& out,
                                    const HeadLimits& bounds = {});

}  // namespace spliced::http
