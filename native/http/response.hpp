// SPDX-License-Identifier: Apache-2.0
// Writes the head of a response (RFC 9110 8, RFC 9112 4) into the connection's output buffer, and
// has the short bodies of errors. Called by conn's respond. It does not handle bodies: for HEAD the
// caller sends the head of the GET and stops there. No allocation.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/limits.hpp"

namespace spliced::http {

// A head whose values keep these bounds fits in kResponseHeadBytesMax; response.cpp asserts the
// sum.
inline constexpr size_t kResponseHeadBytesMax =
    1024 + limits::kRouteFieldsBytesMax + limits::kLocationBytesMax;
static_assert(kResponseHeadBytesMax + limits::kRouteBodyBytesMax <= limits::kOutputBytes);
inline constexpr size_t kFieldValueBytesMax = 128;
inline constexpr size_t kAllowBytesMax = 64;

// An empty text is a field that is not sent.
struct ResponseHead {
  uint16_t status = 0;          // error_body() knows it
  uint64_t content_length = 0;  // of GET's body, also for HEAD; not sent with 204, 304
  bool keep_alive = false;
  std::string_view content_type;      // not sent with 204, 304
  std::string_view content_encoding;  // not sent with 204, 304
  bool varies = false;                // "Vary: Accept-Encoding" (RFC 9110 12.5.5)
  std::string_view etag;              // with its quotes
  std::string_view last_modified;     // preformatted, kDateBytes
  std::string_view date;              // preformatted, kDateBytes
  std::string_view cache_control;
  std::string_view allow;     // RFC 9110 10.2.1: methods, at most kAllowBytesMax
  std::string_view location;  // RFC 9110 10.2.2, at most kLocationBytesMax
  std::string_view fields;    // whole lines of the route (routes.hpp), at most kRouteFieldsBytesMax
  uint32_t retry_after_s = 0;  // RFC 9110 10.2.3; 0: not sent
  bool has_range = false;      // 206 sends "bytes first-last/size", 416 sends "bytes */size"
  uint64_t range_first = 0;
  uint64_t range_last = 0;  // included
  uint64_t range_size = 0;  // of the whole file

  // For a file that a backend handed over (hand_over.hpp): what stays of the backend's head.
  uint16_t kept_status = 0;  // replaces `status`, with `kept_reason`; 0: none
  std::string_view kept_reason;
  std::string_view kept_fields;  // whole lines; with them the head may exceed kResponseHeadBytesMax
  std::string_view kept_type;    // replaces `content_type`
  bool kept_nosniff = false;     // they have X-Content-Type-Options
};

// Returns the bytes written. 0, and then `out` is undefined: the head does not fit in `capacity`,
// the status is unknown, a value is longer than its bound, or a value has a control character
// (which could inject a field). 200 and 206 send "Accept-Ranges: bytes".
[[nodiscard]] size_t format_head(const ResponseHead& head, char* out, size_t capacity);

// Upper bound of a head's bytes, together with a part's head (multipart.hpp) if there are several
// parts.
size_t head_bytes_max(const ResponseHead& head);

// "404 Not Found\n", as text/plain; empty if the status is unknown. Static storage.
std::string_view error_body(uint16_t status);

}  // namespace spliced::http
