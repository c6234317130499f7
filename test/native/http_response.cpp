// SPDX-License-Identifier: Apache-2.0
// http/response: the bytes of response heads, their bound, and the bodies of errors.
#include <initializer_list>
#include <ostream>
#include <string>

#include "doctest/doctest.h"
#include "http/date.hpp"
#include "http/response.hpp"

using namespace spliced::http;

namespace {

constexpr const char* kDate = "Sun, 06 Nov 1994 08:49:37 GMT";

std::string format(const ResponseHead& head) {
  char out[kResponseHeadBytesMax];
  return {out, format_head(head, out, sizeof out)};
}

bool has(const std::string& head, const std::string& field) {
  return head.find("\r\n" + field) != std::string::npos;
}

ResponseHead full(uint16_t status) {
  ResponseHead head;
  head.status = status;
  head.content_length = 5;
  head.keep_alive = true;
  head.content_type = "text/plain; charset=utf-8";
  head.etag = "\"e\"";
  head.last_modified = kDate;
  head.date = kDate;
  head.cache_control = "no-cache";
  head.has_range = true;
  head.range_first = 2;
  head.range_last = 6;
  head.range_size = 10;
  return head;
}

}  // namespace

TEST_CASE("response: 200, byte by byte (RFC 9112 4, RFC 9110 8)") {
  ResponseHead head = full(200);
  CHECK(format(head) ==
        "HTTP/1.1 200 OK\r\n"
        "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: 5\r\n"
        "Accept-Ranges: bytes\r\n"
        "ETag: \"e\"\r\n"
        "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        "Cache-Control: no-cache\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Connection: keep-alive\r\n"
        "\r\n");
  head.keep_alive = false;
  CHECK(has(format(head), "Connection: close\r\n\r\n"));
}

TEST_CASE("response: 206 and 416 (RFC 9110 14.4, 15.3.7, 15.5.17)") {
  const std::string partial = format(full(206));
  CHECK(partial.substr(0, 30) == "HTTP/1.1 206 Partial Content\r\n");
  CHECK(has(partial, "Content-Range: bytes 2-6/10\r\n"));
  CHECK(has(partial, "Accept-Ranges: bytes\r\n"));
  CHECK(has(partial, "Content-Length: 5\r\n"));
  const std::string unsatisfiable = format(full(416));
  CHECK(has(unsatisfiable, "Content-Range: bytes */10\r\n"));
  CHECK_FALSE(has(unsatisfiable, "Accept-Ranges"));
}

TEST_CASE("response: 304 has validators and no body fields (RFC 9110 15.4.5)") {
  const std::string head = format(full(304));
  for (const char* field : {"Content-Length", "Content-Type", "Content-Range", "Accept-Ranges"}) {
    CAPTURE(field);
    CHECK_FALSE(has(head, field));
  }
  for (const char* field : {"ETag: \"e\"\r\n", "Date: ", "Cache-Control: no-cache\r\n",
                            "X-Content-Type-Options: nosniff\r\n"}) {
    CAPTURE(field);
    CHECK(has(head, field));
  }
}

TEST_CASE("response: what is allowed is named (RFC 9110 15.5.6, 10.2.1)") {
  ResponseHead head = full(405);
  CHECK_FALSE(has(format(head), "Allow:"));
  head.allow = "GET, HEAD";
  CHECK(has(format(head), "Allow: GET, HEAD\r\n"));
}

TEST_CASE("response: 204 has no body and does not speak of one (RFC 9110 8.6, 15.3.5)") {
  const std::string head = format(full(204));
  CHECK_FALSE(has(head, "Content-Length:"));
  CHECK_FALSE(has(head, "Content-Type:"));
}

TEST_CASE("response: empty values are not sent, Content-Length is") {
  ResponseHead head;
  head.status = 404;
  CHECK(format(head) ==
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n"
        "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n");
}

TEST_CASE("response: a value cannot add a field (RFC 9110 5.5)") {
  const std::string nul("a\0b", 3);
  for (const std::string& value : {std::string("a\r\nX: b"), std::string("a\nb"), nul}) {
    ResponseHead head = full(200);
    head.etag = value;
    CHECK(format(head).empty());
    head = full(200);
    head.content_type = value;
    CHECK(format(head).empty());
    head = full(200);
    head.cache_control = value;
    CHECK(format(head).empty());
  }
}

TEST_CASE("response: every status with the longest values fits in its bound") {
  const std::string longest(kFieldValueBytesMax, 'v');
  const std::string longest_date(kDateBytes, 'd');
  size_t known = 0;
  for (uint16_t status = 0; status < 1000; ++status) {
    if (error_body(status).empty()) continue;
    ++known;
    ResponseHead head = full(status);
    head.content_length = head.range_first = head.range_last = head.range_size = UINT64_MAX;
    head.content_type = head.etag = head.cache_control = longest;
    const std::string longest_allow(kAllowBytesMax, 'a');
    head.allow = longest_allow;
    head.content_encoding = "12345678";
    head.varies = true;
    const std::string location(spliced::limits::kLocationBytesMax, 'l');
    const std::string fields(spliced::limits::kRouteFieldsBytesMax, 'f');
    head.location = location;
    head.fields = fields;
    head.date = head.last_modified = longest_date;
    char out[kResponseHeadBytesMax];
    const size_t size = format_head(head, out, sizeof out);
    CAPTURE(status);
    CHECK(size > 0);
    CHECK(size <= kResponseHeadBytesMax);
    for (size_t capacity = 0; capacity < size; capacity += 97) {
      REQUIRE(format_head(head, out, capacity) == 0);
    }
    CHECK(format_head(head, out, size) == size);

    const std::string too_long = longest + "v";
    head.etag = too_long;
    CHECK(format_head(head, out, sizeof out) == 0);
  }
  CHECK(known == 35);
}

TEST_CASE("response: bodies and unknown status") {
  CHECK(error_body(404) == "404 Not Found\n");
  CHECK(error_body(431) == "431 Request Header Fields Too Large\n");
  CHECK(error_body(505) == "505 HTTP Version Not Supported\n");
  CHECK(error_body(299).empty());
  CHECK(error_body(0).empty());
  CHECK(format(full(299)).empty());
}

TEST_CASE("response: every status that the parsers answer with is known") {
  for (const uint16_t status : std::initializer_list<uint16_t>{400, 404, 414, 431, 505}) {
    CAPTURE(status);
    CHECK_FALSE(error_body(status).empty());
  }
}
