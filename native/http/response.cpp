// SPDX-License-Identifier: Apache-2.0
// Response heads and error bodies; see response.hpp.
#include "http/response.hpp"

#include <charconv>
#include <cstring>

#include "base/limits.hpp"
#include "http/date.hpp"
#include "http/syntax.hpp"

namespace spliced::http {
namespace {

// Status code, SP and reason phrase (RFC 9110 15): both the status line and the error body.
constexpr std::string_view kStatuses[] = {
    "200 OK\n",
    "206 Partial Content\n",
    "304 Not Modified\n",
    "400 Bad Request\n",
    "403 Forbidden\n",
    "403 Forbidden\n",
    "404 Not Found\n",
    "405 Method Not Allowed\n",
    "408 Request Timeout\n",
    "412 Precondition Failed\n",
    "413 Content Too Large\n",
    "414 URI Too Long\n",
    "416 Range Not Satisfiable\n",
    "417 Expectation Failed\n",
    "431 Request Header Fields Too Large\n",
    "500 Internal Server Error\n",
    "501 Not Implemented\n",
    "503 Service Unavailable\n",
    "505 HTTP Version Not Supported\n",
};

constexpr std::string_view kNoSniff = "X-Content-Type-Options: nosniff\r\n";
constexpr std::string_view kAcceptRanges = "Accept-Ranges: bytes\r\n";
constexpr std::string_view kAllow = "Allow: GET, HEAD\r\n";
constexpr std::string_view kKeepAlive = "Connection: keep-alive\r\n";
constexpr std::string_view kClose = "Connection: close\r\n";
constexpr std::string_view kContentRange = "Content-Range: bytes ";
constexpr size_t kNumberBytesMax = 20;  // UINT64_MAX

constexpr size_t field_bytes(std::string_view name, size_t value_bytes) {
  return name.size() + 2 + value_bytes + 2;
}

// Longer than any real head, as no status has all of these fields.
constexpr size_t kLongestHeadBytes =
    std::string_view("HTTP/1.1 431 Request Header Fields Too Large\r\n").size() +
    field_bytes("Date", kDateBytes) + kKeepAlive.size() + kAllow.size() + kNoSniff.size() +
    kAcceptRanges.size() + field_bytes("Content-Length", kNumberBytesMax) + kContentRange.size() +
    3 * kNumberBytesMax + 4 + field_bytes("Content-Type", kFieldValueBytesMax) +
    field_bytes("ETag", kFieldValueBytesMax) + field_bytes("Last-Modified", kDateBytes) +
    field_bytes("Cache-Control", kFieldValueBytesMax) + 2;
static_assert(kLongestHeadBytes <= kResponseHeadBytesMax);
static_assert(kResponseHeadBytesMax + limits::kSmallBodyBytesMax <= limits::kOutputBytes);

// Appends while there is room; after the first failure it writes nothing more.
class Writer {
 public:
  Writer(char* out, size_t capacity) : out_(out), capacity_(capacity) {}

  size_t size() const { return ok_ ? size_ : 0; }

  void text(std::string_view text) {
    ok_ = ok_ && text.size() <= capacity_ - size_;
    if (!ok_ || text.empty()) return;
    std::memcpy(out_ + size_, text.data(), text.size());
    size_ += text.size();
  }

  void number(uint64_t value) {
    char digits[kNumberBytesMax];
    const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
    ok_ = ok_ && error == std::errc();
    text({digits, static_cast<size_t>(end - digits)});
  }

  void field(std::string_view name, std::string_view value, size_t value_bytes_max) {
    if (value.empty()) return;
    ok_ = ok_ && value.size() <= value_bytes_max;
    for (const char c : value) ok_ = ok_ && !is_control(c);
    text(name);
    text(": ");
    text(value);
    text("\r\n");
  }

 private:
  char* out_;
  size_t capacity_;
  size_t size_ = 0;
  bool ok_ = true;
};

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

// RFC 9110 15.4.5: a 304 describes no body.
void write_body_fields(const ResponseHead& head, Writer& writer) {
  if (head.status == 304) return;
  writer.field("Content-Type", head.content_type, kFieldValueBytesMax);
  writer.text("Content-Length: ");
  writer.number(head.content_length);
  writer.text("\r\n");
  if (head.status == 200 || head.status == 206) writer.text(kAcceptRanges);
  write_content_range(head, writer);
}

}  // namespace

size_t format_head(const ResponseHead& head, char* out, size_t capacity) {
  const std::string_view status_line = error_body(head.status);
  if (status_line.empty()) return 0;
  Writer writer(out, capacity);
  writer.text("HTTP/1.1 ");
  writer.text(status_line.substr(0, status_line.size() - 1));
  writer.text("\r\n");
  writer.field("Date", head.date, kDateBytes);
  write_body_fields(head, writer);
  writer.field("ETag", head.etag, kFieldValueBytesMax);
  writer.field("Last-Modified", head.last_modified, kDateBytes);
  writer.field("Cache-Control", head.cache_control, kFieldValueBytesMax);
  if (head.status == 405) writer.text(kAllow);
  writer.text(kNoSniff);
  writer.text(head.keep_alive ? kKeepAlive : kClose);
  writer.text("\r\n");
  return writer.size();
}

std::string_view error_body(uint16_t status) {
  for (const std::string_view text : kStatuses) {
    const int code = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
    if (code == status) return text;
  }
  return {};
}

}  // namespace spliced::http
