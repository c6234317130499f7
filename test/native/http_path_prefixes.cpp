// SPDX-License-Identifier: Apache-2.0
// http/path_prefixes: which paths a prefix covers, in every spelling that a client may choose.
#include <ostream>
#include <string>

#include "doctest/doctest.h"
#include "http/path_prefixes.hpp"
#include "http/target.hpp"

using namespace spliced::http;

namespace {

PathPrefixes of(std::initializer_list<const char*> texts) {
  PathPrefixes prefixes;
  for (const char* text : texts) REQUIRE(prefixes.add(text));
  return prefixes;
}

// As conn/request/routing.cpp asks: the target resolved, then the rule.
bool covered(const PathPrefixes& prefixes, const std::string& target) {
  PathBuffer path;
  REQUIRE(resolve_target(target, path).status == 0);
  return prefixes.cover(path.view());
}

}  // namespace

TEST_CASE("prefixes: whole segments, and case counts") {
  const PathPrefixes prefixes = of({"/private", "/a/b/", "/docs/index.html"});
  struct Row {
    const char* target;
    bool covered;
  };
  for (const Row& row : {
           Row{"/private", true},
           Row{"/private/", true},
           Row{"/private/x/y", true},
           Row{"/private?q", true},
           Row{"/privateer", false},
           Row{"/private.txt", false},
           Row{"/Private/x", false},
           Row{"/PRIVATE", false},
           Row{"/x/private", false},
           Row{"/", false},
           Row{"/a/b", true},
           Row{"/a/b/c", true},
           Row{"/a/bc", false},
           Row{"/a", false},
           Row{"/a/", false},
           Row{"/docs/", false},  // conn/lookup asks again with the file that is sent
           Row{"/docs/other.html", false},
       }) {
    CAPTURE(row.target);
    CHECK(covered(prefixes, row.target) == row.covered);
  }
}

TEST_CASE("prefixes: no spelling goes around them") {
  const PathPrefixes prefixes = of({"/private"});
  for (const char* target :
       {"/%70rivate/x", "/%70%72%69%76%61%74%65", "/./private/x", "/a/../private/x",
        "/a/b/../../private/x", "/a/%2e%2e/private/x", "/a/%2E./private", "/%2e/private/x",
        "/private/../private/x", "/private/.", "https://other.example/private/x",
        "http://localhost/a/../%70rivate/x", "/private/x?/../../public",
        "/private%20/../private"}) {
    CAPTURE(target);
    CHECK(covered(prefixes, target));
  }
  // These name something else, or nothing, once they are decoded (only once).
  for (const char* target :
       {"/%2570rivate/x", "/private%20", "/private\\x", "/private/../public"}) {
    CAPTURE(target);
    CHECK(!covered(prefixes, target));
  }
  PathBuffer path;
  for (const char* target : {"//private/x", "/%2fprivate/x", "/a%2f..%2fprivate", "/private%00"})
    CHECK(resolve_target(target, path).status != 0);
}

TEST_CASE("prefixes: everything, and nothing") {
  const PathPrefixes all = of({"/"}), none;
  for (const char* target : {"/", "/x", "/x/y/", "/.../z"}) {
    CHECK(covered(all, target));
    CHECK(!covered(none, target));
  }
  CHECK(none.empty());
  CHECK(!all.empty());
}

TEST_CASE("prefixes: what no path begins with is refused") {
  PathPrefixes prefixes;
  for (const char* text : {"", "a", "a/b", "//", "//a", "/a//b", "/a//", "/.", "/..", "/a/../b",
                           "/a/./b", "/%70", "/a?b", "/a#b", "/a\x01", "/a\x7f", "*"}) {
    CAPTURE(text);
    CHECK(!prefixes.add(text));
  }
  CHECK(prefixes.empty());
}
