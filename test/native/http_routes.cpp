// SPDX-License-Identifier: Apache-2.0
// http/routes: which route a request falls under, what Allow and Location say.
#include <ostream>
#include <string>

#include "doctest/doctest.h"
#include "http/response.hpp"
#include "http/routes.hpp"

using namespace spliced;
using namespace spliced::http;

namespace {

Route route(const char* host, const char* prefix, Methods methods, const char* name) {
  Route made;
  made.host = host;
  made.prefix = prefix;
  made.methods = methods;
  made.body = name;
  return made;
}

Routes table() {
  Routes routes;
  const Methods get = bit_of(Method::Get);
  for (const Route& one : {
           route("", "", get, "root"),
           route("", "docs", get, "docs"),
           route("", "docs/private", get, "private"),
           route("", "api", bit_of(Method::Post), "post"),
           route("", "api", get | bit_of(Method::Post), "api"),
           route("b.example", "", get, "b"),
           route("[::1]", "only", get, "six"),
       })
    REQUIRE(routes.add(one) == nullptr);
  return routes;
}

std::string find(const Routes& routes, const char* host, const char* path, Method method) {
  const Routes::Match match = routes.find(host, path, method);
  return match.route != nullptr ? match.route->body : match.allowed != 0 ? "405" : "404";
}

std::string location(const char* base, const char* path, const char* target) {
  char out[limits::kLocationBytesMax];
  return {out, format_location(base, path, target, out)};
}

}  // namespace

TEST_CASE("routes: host, then the longest prefix, then the fewest methods") {
  struct Row {
    const char* host;
    const char* path;
    Method method;
    const char* name;
  };
  const Routes routes = table();
  for (const Row& row : {
           Row{"a", "", Method::Get, "root"},
           Row{"", "docs", Method::Get, "docs"},
           Row{"a", "docs/x", Method::Head, "docs"},
           Row{"a", "docsx", Method::Get, "root"},  // whole segments
           Row{"a", "Docs/x", Method::Get, "root"},
           Row{"a", "docs/private/x", Method::Get, "private"},
           Row{"a", "docs", Method::Post, "405"},
           Row{"a", "api/x", Method::Post, "post"},
           Row{"a", "api/x", Method::Get, "api"},
           Row{"a", "api", Method::Delete, "405"},
           Row{"b.example", "docs/x", Method::Get, "b"},
           Row{"B.Example:8443", "", Method::Get, "b"},    // RFC 9110 4.2.3
           Row{"b.example.", "docs/x", Method::Get, "b"},  // RFC 1034 3.1
           Row{"b.example.:8443", "", Method::Get, "b"},
           Row{"b.example..", "", Method::Get, "root"},
           Row{"b.example.org", "", Method::Get, "root"},
           Row{"[::1]:8443", "only/x", Method::Get, "six"},
           Row{"[::2]", "only/x", Method::Get, "root"},
       }) {
    CAPTURE(row.host);
    CAPTURE(row.path);
    CHECK(find(routes, row.host, row.path, row.method) == row.name);
  }
  CHECK(find(Routes(), "a", "", Method::Get) == "404");
}

TEST_CASE("routes: what is reserved, in whole segments") {
  for (const char* path : {".spliced", ".spliced/", ".spliced/ui/x"}) CHECK(is_reserved(path));
  for (const char* path : {"", ".splicedx", "x/.spliced", ".splice"}) CHECK(!is_reserved(path));
}

TEST_CASE("routes: Allow has every method of the path (RFC 9110 10.2.1)") {
  char out[kAllowBytesMax];
  const auto allow = [&](Methods methods) { return std::string(out, format_allow(methods, out)); };
  CHECK(allow(kRetrieval) == "GET, HEAD, OPTIONS");
  CHECK(allow(table().find("a", "api", Method::Delete).allowed) == "GET, HEAD, POST, OPTIONS");
  CHECK(allow(UINT16_MAX) == "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
}

TEST_CASE("routes: a location leads where it says (RFC 9110 10.2.2)") {
  CHECK(location("/", "docs/", "/docs?a=b&c") == "/docs/?a=b&c");
  CHECK(location("https://b", "", "/x") == "https://b");
  CHECK(location("/", "a b\xc3\xa9/%2f?#", "/x") == "/a%20b%C3%A9/%252f%3F%23");
  // Browsers take "\" for "/": "/\evil.example/" would be another host.
  CHECK(location("/", "\\evil.example/", "/x") == "/%5Cevil.example/");
  const std::string longest(limits::kLocationBytesMax, 'a');
  CHECK(location("", longest.c_str(), "/").size() == longest.size());
  CHECK(location("/", longest.c_str(), "/").empty());
}

TEST_CASE("routes: what cannot be is refused, with a reason") {
  Routes routes;
  Route one;
  one.action = Action::Respond;
  one.status = 299;
  CHECK(routes.add(one) != nullptr);
  one.status = 200;
  one.content_type = "a\r\nX: b";
  CHECK(routes.add(one) != nullptr);
  one.content_type = "";
  one.fields.assign(limits::kRouteFieldsBytesMax + 1, 'f');
  CHECK(routes.add(one) != nullptr);
  one.fields.clear();
  for (size_t i = 0; i < limits::kRoutesMax; i++) REQUIRE(routes.add(one) == nullptr);
  CHECK(routes.add(one) != nullptr);
  CHECK(is_settable_field("X-Frame-Options", "DENY"));
  for (const char* name : {"Content-Length", "transfer-encoding", "Connection", "a b", "", "X:"})
    CHECK_FALSE(is_settable_field(name, "x"));
  CHECK_FALSE(is_settable_field("X-A", "b\r\nc"));
}
