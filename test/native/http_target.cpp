// SPDX-License-Identifier: Apache-2.0
// http/target: which path a request target names, and which targets name none.
#include <ostream>
#include <string>

#include "doctest/doctest.h"
#include "http/target.hpp"

using namespace spliced;
using namespace spliced::http;

namespace {

struct Row {
  const char* rule;
  std::string target;
  uint16_t status;
  const char* path;
};

constexpr const char* kNoPath = "";

void check(const Row& row) {
  CAPTURE(row.rule);
  CAPTURE(row.target);
  PathBuffer path;
  REQUIRE(path.append("left over from before"));
  const TargetResult result = resolve_target(row.target, path);
  CHECK(result.status == row.status);
  CHECK((result.why == nullptr) == (row.status == 0));
  CHECK(std::string(path.c_str()) == path.view());
  CHECK(path.c_str() + std::string(result.directory ? "/" : "") == row.path);
}

}  // namespace

TEST_CASE("target: origin-form (RFC 9112 3.2.1)") {
  for (const Row& row : {
           Row{"root", "/", 0, "/"},
           Row{"file", "/a.bin", 0, "a.bin"},
           Row{"deeper", "/a/b/c", 0, "a/b/c"},
           Row{"directory", "/a/", 0, "a/"},
           Row{"query is dropped", "/a?b=/../c%zz", 0, "a"},
           Row{"empty query", "/?", 0, "/"},
           Row{"a second question mark is query", "/a?b?c", 0, "a"},
           Row{"reserved status page is a path as any", "/.spliced/status", 0, ".spliced/status"},
           Row{"three dots are a name", "/.../a", 0, ".../a"},
           Row{"backslash is a character as any", "/a\\..\\b", 0, "a\\..\\b"},
           Row{"semicolon is a character as any", "/a;b", 0, "a;b"},
           Row{"plus is no space", "/a+b", 0, "a+b"},
       }) {
    check(row);
  }
}

TEST_CASE("target: absolute-form (RFC 9112 3.2.2, RFC 9110 4.2)") {
  for (const Row& row : {
           Row{"https", "https://a.example:8443/b", 0, "b"},
           Row{"http, any case (RFC 3986 3.1)", "HtTp://a/b", 0, "b"},
           Row{"no path", "https://a", 0, "/"},
           Row{"no path but a query", "https://a?/b", 0, "/"},
           Row{"IPv6", "https://[::1]:1/b", 0, "b"},
           Row{"no host (4.2.2)", "https:///b", 400, kNoPath},
           Row{"userinfo (4.2.4)", "https://u:p@a/b", 400, kNoPath},
           Row{"bad port", "https://a:b/", 400, kNoPath},
           Row{"another scheme", "ftp://a/b", 400, kNoPath},
           Row{"no scheme", "://a/b", 400, kNoPath},
           Row{"scheme without authority", "https:/b", 400, kNoPath},
       }) {
    check(row);
  }
}

TEST_CASE("target: other forms (RFC 9112 3.2.3, 3.2.4)") {
  for (const Row& row : {
           Row{"asterisk-form is for OPTIONS", "*", 400, kNoPath},
           Row{"authority-form is for CONNECT", "a:443", 400, kNoPath},
           Row{"no slash", "a", 400, kNoPath},
           Row{"empty", "", 400, kNoPath},
           Row{"query alone", "?a", 400, kNoPath},
           Row{"fragment", "/a#b", 400, kNoPath},
           Row{"fragment in the query", "/a?b#c", 400, kNoPath},
       }) {
    check(row);
  }
}

TEST_CASE("target: percent-encoding (RFC 3986 2.1, 2.4)") {
  for (const Row& row : {
           Row{"decoded", "/%61%2Eb%20c", 0, "a.b c"},
           Row{"UTF-8 passes through", "/%C3%A9", 0, "\xc3\xa9"},
           Row{"decoded once", "/%2561", 0, "%61"},
           Row{"decoded once: no second chance for a slash", "/%252f", 0, "%2f"},
           Row{"decoded once: no second chance for dots", "/%252e%252e/a", 0, "%2e%2e/a"},
           Row{"encoded question mark", "/a%3Fb", 0, "a?b"},
           Row{"encoded hash", "/a%23b", 0, "a#b"},
           Row{"encoded percent at the end", "/a%25", 0, "a%"},
           Row{"no digits", "/a%", 400, kNoPath},
           Row{"one digit", "/a%4", 400, kNoPath},
           Row{"digits across a slash", "/a%4/1", 400, kNoPath},
           Row{"no hexadecimal digits", "/a%g1", 400, kNoPath},
           Row{"second is no hexadecimal digit", "/a%1g", 400, kNoPath},
           Row{"encoded slash", "/a%2Fb", 404, kNoPath},
           Row{"encoded slash in dots", "/..%2f..%2fetc/passwd", 404, kNoPath},
           Row{"NUL", "/a%00.html", 400, kNoPath},
           Row{"newline", "/a%0a", 400, kNoPath},
           Row{"carriage return", "/a%0D", 400, kNoPath},
           Row{"tab", "/a%09", 400, kNoPath},
           Row{"DEL", "/a%7f", 400, kNoPath},
           Row{"raw control", "/a\x01", 400, kNoPath},
       }) {
    check(row);
  }
}

TEST_CASE("target: dot segments (RFC 3986 5.2.4, 6.2.2.2)") {
  for (const Row& row : {
           Row{"here", "/./a/./b", 0, "a/b"},
           Row{"here, at the end, is a directory", "/a/.", 0, "a/"},
           Row{"here, alone", "/.", 0, "/"},
           Row{"up", "/a/../b", 0, "b"},
           Row{"up, at the end, is a directory", "/a/b/..", 0, "a/"},
           Row{"up to the root", "/a/..", 0, "/"},
           Row{"up to the root with a slash", "/a/../", 0, "/"},
           Row{"up twice", "/a/b/../../c", 0, "c"},
           Row{"encoded", "/a/%2e%2E/b", 0, "b"},
           Row{"half encoded", "/a/.%2e/b", 0, "b"},
           Row{"encoded here", "/%2e/a", 0, "a"},
           Row{"above the root", "/..", 400, kNoPath},
           Row{"above the root, encoded", "/%2e%2e/etc/passwd", 400, kNoPath},
           Row{"above the root on the way", "/a/../../a/b", 400, kNoPath},
           Row{"above the root, absolute-form", "https://a/../b", 400, kNoPath},
       }) {
    check(row);
  }
}

TEST_CASE("target: empty segments name no file (one address for one file)") {
  for (const Row& row : {
           Row{"at the front", "//a", 404, kNoPath},
           Row{"alone", "//", 404, kNoPath},
           Row{"inside", "/a//b", 404, kNoPath},
           Row{"at the end", "/a//", 404, kNoPath},
           Row{"not cured by what follows", "/a//../b", 404, kNoPath},
       }) {
    check(row);
  }
}

TEST_CASE("target: the path is bounded (RFC 9110 15.5.15)") {
  const std::string longest(limits::kPathBytesMax, 'a');
  check({"longest", "/" + longest, 0, longest.c_str()});
  check({"one more", "/" + longest + "a", 414, kNoPath});
  check({"encoding does not count", "/%61" + longest.substr(1), 0, longest.c_str()});
  check({"no room for the separator", "/" + longest + "/b", 414, kNoPath});
  check({"a directory's slash does not count", "/" + longest + "/", 0, (longest + "/").c_str()});
}
