// SPDX-License-Identifier: Apache-2.0
// http/trailers: which fields go on behind a body, and who takes them.
#include "http/trailers.hpp"

#include <ostream>
#include <string>

#include "doctest/doctest.h"

using namespace spliced::http;

TEST_CASE("trailers: what a section may say") {
  for (const char* name :
       {"grpc-status", "Grpc-Message", "Server-Timing", "Digest", "Content-Digest", "ETag", "X-Sum",
        "Authentication-Info", "Accept-Ranges", "Iffy"}) {
    CAPTURE(std::string(name));
    CHECK(may_trail(name));
  }
  for (const char* name :
       {"Content-Length", "Transfer-Encoding", "Host", "Connection", "Keep-Alive", "Upgrade", "TE",
        "Trailer", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
        "Proxy-Authentication-Info", "Cache-Control", "Expect", "Max-Forwards", "Pragma", "Range",
        "If-Match", "if-none-match", "If-Range", "Authorization", "WWW-Authenticate", "Cookie",
        "Set-Cookie", "SET-COOKIE", "Age", "Date", "Expires", "Location", "Retry-After", "Vary",
        "Warning", "Content-Encoding", "Content-Type", "Content-Range", "HTTP2-Settings",
        "X-Accel-Redirect", "X-Sendfile"}) {
    CAPTURE(std::string(name));
    CHECK_FALSE(may_trail(name));
  }
}

TEST_CASE("trailers: each line is written anew, without what is not the client's") {
  const std::string section =
      "Sum:  1\t\r\nSet-Cookie: a=b\r\nHop: x\r\nsum: 2\r\nOurs: y\r\nEmpty:\r\n\r\nSum: behind\r\n";
  CHECK(trailers_for_client(section, "close,hop,", "Ours: z\r\n") ==
        "Sum: 1\r\nsum: 2\r\nEmpty: \r\n");
  CHECK(trailers_for_client(section, "", "") ==
        "Sum: 1\r\nHop: x\r\nsum: 2\r\nOurs: y\r\nEmpty: \r\n");
  CHECK(trailers_for_client("\r\n", "", "") == "");
}

TEST_CASE("trailers: who takes them says so twice (RFC 9110 10.1.4)") {
  const auto takes = [](const std::string& fields) {
    return takes_trailers("GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n");
  };
  CHECK(takes("TE: trailers\r\nConnection: TE\r\n"));
  CHECK(takes("connection: close, te\r\nte: deflate;q=0.5, Trailers\r\n"));
  CHECK(takes("TE: deflate\r\nTE: trailers\r\nConnection: a\r\nConnection: te\r\n"));
  CHECK_FALSE(takes("TE: trailers\r\n"));
  CHECK_FALSE(takes("TE: deflate\r\nConnection: TE\r\n"));
  CHECK_FALSE(takes("TE: trailers2\r\nConnection: TE\r\n"));
  CHECK_FALSE(takes("Connection: TE\r\n"));
}
