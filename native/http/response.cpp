// SPDX-License-Identifier: Apache-2.0
// Response heads and error bodies; see response.hpp.
#include "http/response.hpp"

#include "base/limits.hpp"
#include "http/date.hpp"
#include "http/multipart.hpp"
#include "http/writer.hpp"

namespace spliced::http {
namespace {

// Status code, SP and reason phrase (RFC 9110 15): both the status line and the error body.
constexpr std::string_view kStatuses[] = {
    "200 OK\n",
    "202 Accepted\n",
    "204 No Content\n",
    "206 Partial Content\n",
    "301 Moved Permanently\n",
    "302 Found\n",
    "303 See Other\n",
    "304 Not Modified\n",
    "307 Temporary Redirect\n",
    "308 Permanent Redirect\n",
    "400 Bad Request\n",
    "403 Forbidden\n",
    "404 Not Found\n",
    "405 Method Not Allowed\n",
    "406 Not Acceptable\n",
    "408 Request Timeout\n",
    "409 Conflict\n",
    "410 Gone\n",
    "411 Length Required\n",
    "412 Precondition Failed\n",
    "413 Content Too Large\n",
    "414 URI Too Long\n",
    "416 Range Not Satisfiable\n",
    "417 Expectation Failed\n",
    "421 Misdirected Request\n",
    "422 Unprocessable Content\n",
    "429 Too Many Requests\n",
    "431 Request Header Fields Too Large\n",
    "500 Internal Server Error\n",
    "501 Not Implemented\n",
    "502 Bad Gateway\n",
    "503 Service Unavailable\n",
    "504 Gateway Timeout\n",
    "505 HTTP Version Not Supported\n",
    "507 Insufficient Storage\n",
};

constexpr std::string_view kNoSniff = "X-Content-Type-Options: nosniff\r\n";
constexpr std::string_view kAcceptRanges = "Accept-Ranges: bytes\r\n";
constexpr std::string_view kVary = "Vary: Accept-Encoding\r\n";
constexpr std::string_view kKeepAlive = "Connection: keep-alive\r\n";
constexpr std::string_view kClose = "Connection: close\r\n";
constexpr std::string_view kContentRange = "Content-Range: bytes ";

constexpr size_t field_bytes(std::string_view name, size_t value_bytes) {
  return name.size() + 2 + value_bytes + 2;
}

constexpr size_t kCodingBytesMax = 8;

// Longer than any real head: no status has all of these fields.
constexpr size_t kLongestHeadBytes =
    std::string_view("HTTP/1.1 431 Request Header Fields Too Large\r\n").size() +
    field_bytes("Date", kDateBytes) + kKeepAlive.size() + field_bytes("Allow", kAllowBytesMax) +
    kVary.size() + field_bytes("Content-Encoding", kCodingBytesMax) + kNoSniff.size() +
    kAcceptRanges.size() + field_bytes("Content-Length", kNumberBytesMax) + kContentRange.size() +
    3 * kNumberBytesMax + 4 + field_bytes("Content-Type", kFieldValueBytesMax) +
    field_bytes("ETag", kFieldValueBytesMax) + field_bytes("Last-Modified", kDateBytes) +
    field_bytes("Cache-Control", kFieldValueBytesMax) +
    field_bytes("Location", limits::kLocationBytesMax) +
    field_bytes("Retry-After", kNumberBytesMax) + limits::kRouteFieldsBytesMax + 2;
static_assert(kLongestHeadBytes <= kResponseHeadBytesMax);

void write_content_range(const ResponseHead& head, Writer& writer) {
  if (!head.has_range || (head.status != 206 && head.status != 416)) return;
  writer.text(kContentRange);
  if (head.status == 206) {
    writer.number(head.range_first);
    writer.text("-");
    writer.number(head.range_last);
  } else {
    writer.text("*");
  }
  writer.text("/");
  writer.number(head.range_size);
  writer.text("\r\n");
}

// RFC 9110 15.4.5: a 304 describes no body; 15.3.5, 8.6: a 204 has none.
void write_body_fields(const ResponseHead& head, Writer& writer) {
  if (head.status == 304 || head.status == 204) return;
  if (head.kept_type.empty()) {
    writer.field("Content-Type", head.content_type, kFieldValueBytesMax);
  } else {
    writer.text(head.kept_type);
  }
  writer.field("Content-Encoding", head.content_encoding, kCodingBytesMax);
  writer.text("Content-Length: ");
  writer.number(head.content_length);
  writer.text("\r\n");
  if ((head.status == 200 && head.kept_status == 0) || head.status == 206)
    writer.text(kAcceptRanges);
  write_content_range(head, writer);
}

}  // namespace

size_t format_head(const ResponseHead& head, char* out, size_t capacity) {
  const std::string_view status_line = error_body(head.status);
  if (status_line.empty()) return 0;
  Writer writer(out, capacity);
  writer.text("HTTP/1.1 ");
  if (head.kept_status != 0) {
    writer.number(head.kept_status);
    writer.text(" ");
    writer.text(head.kept_reason);
  } else {
    writer.text(status_line.substr(0, status_line.size() - 1));
  }
  writer.text("\r\n");
  writer.field("Date", head.date, kDateBytes);
  write_body_fields(head, writer);
  writer.field("ETag", head.etag, kFieldValueBytesMax);
  writer.field("Last-Modified", head.last_modified, kDateBytes);
  if (head.varies) writer.text(kVary);
  writer.field("Cache-Control", head.cache_control, kFieldValueBytesMax);
  writer.field("Allow", head.allow, kAllowBytesMax);
  writer.field("Location", head.location, limits::kLocationBytesMax);
  if (head.retry_after_s > 0) {
    writer.text("Retry-After: ");
    writer.number(head.retry_after_s);
    writer.text("\r\n");
  }
  writer.text(head.kept_fields);
  writer.text(head.fields);
  if (!head.kept_nosniff) writer.text(kNoSniff);
  writer.text(head.keep_alive ? kKeepAlive : kClose);
  writer.text("\r\n");
  return writer.size();
}

size_t head_bytes_max(const ResponseHead& head) {
  const size_t kept = head.kept_fields.size() + head.kept_type.size() + head.kept_reason.size();
  return kResponseHeadBytesMax + kPartHeadBytesMax + kept;
}

std::string_view error_body(uint16_t status) {
  for (const std::string_view text : kStatuses) {
    const int code = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
    if (code == status) return text;
  }
  return {};
}

}  // namespace spliced::http
