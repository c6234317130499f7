// SPDX-License-Identifier: Apache-2.0
// Scenarios: routes, what stands in for a file that is not there, and how long a copy may be kept.
#include <sys/stat.h>

#include <ostream>
#include <string>

#include "doctest/doctest.h"
#include "fakes/ask.hpp"

using namespace spliced;
using namespace spliced::fakes;
using http::Action;
using http::Route;

namespace {

std::string field(const Response& response, const std::string& name) {
  const size_t at = response.head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const size_t from = at + name.size() + 4;
  return response.head.substr(from, response.head.find('\r', from) - from);
}

Route file_route(const std::string& prefix = "") {
  Route route;
  route.prefix = prefix;
  route.index = "index.html";
  return route;
}

Response get(World& world, const std::string& path, const std::string& fields = "") {
  return ask(world, Path::KernelSync, Peer::request("GET", path, fields));
}

}  // namespace

TEST_CASE("an application's pages fall back to its index, its assets never") {
  for (bool cold : {false, true}) {
    World world;
    const std::string index = world.site.write("index.html", 500);
    const std::string page = world.site.write("404.html", 300);
    world.site.write("assets/app.3f9a1c2b.js", 100);
    Route route = file_route();
    route.fallback = "index.html";
    route.not_found = "404.html";
    REQUIRE(route.immutable.add("/assets"));
    route.fields = "X-Test: yes\r\n";
    world.serve({route});
    kernel().names_resident = !cold;
    for (const char* path : {"/", "/settings", "/device/192.168.1.17", "/none/"}) {
      CAPTURE(path);
      const Response got = get(world, path);
      CHECK(got.status == 200);
      CHECK(got.body == index);
      CHECK(field(got, "Cache-Control") == "no-cache");
      CHECK(field(got, "X-Test") == "yes");
    }
    for (const char* path :
         {"/assets/app.0f9a1c2b.js", "/none.js", "/photo.PNG", "/assets/17", "/x.3f9a1c2b.dat"}) {
      CAPTURE(path);
      const Response got = get(world, path, "If-None-Match: *\r\nRange: bytes=0-1\r\n");
      CHECK(got.status == 404);
      CHECK(got.body == page);
      CHECK(field(got, "Cache-Control") == "no-store");
      CHECK(field(got, "ETag") == "");
      CHECK(field(got, "X-Test") == "yes");
    }
    const Response asset = get(world, "/assets/app.3f9a1c2b.js");
    CHECK(field(asset, "Cache-Control") == "public, max-age=31536000, immutable");
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("a directory without its slash is redirected, its index is served (RFC 9110 15.4.9)") {
  World world;
  const std::string index = world.site.write("a b/index.html", 50);
  REQUIRE(::mkdir(world.site.path("empty").c_str(), 0700) == 0);
  const Response bare = get(world, "/a%20b?x=1");
  CHECK(bare.status == 308);
  CHECK(field(bare, "Location") == "/a%20b/?x=1");
  CHECK(get(world, "/a%20b/").body == index);
  CHECK(get(world, "/empty/").status == 404);
  Route plain = file_route();
  plain.index.clear();
  world.serve({plain});
  CHECK(get(world, "/a%20b").status == 404);
  CHECK(get(world, "/a%20b/").status == 404);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("a mounted route takes its prefix off") {
  World world;
  const std::string file = world.site.write("one.txt", 50),
                    index = world.site.write("index.html", 9);
  Route mounted = file_route("docs/old");
  mounted.mounted = true;
  mounted.cache_control = "no-store";
  world.serve({mounted});
  CHECK(get(world, "/docs/old/one.txt").body == file);
  CHECK(field(get(world, "/docs/old/one.txt"), "Cache-Control") == "no-store");
  CHECK(get(world, "/docs/old/").body == index);
  CHECK(field(get(world, "/docs/old"), "Location") == "/docs/old/");
  CHECK(get(world, "/one.txt").status == 404);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("redirects, fixed answers, and certificates by route") {
  World world;
  world.site.write("secret/a.txt", 50);
  Route moved = file_route("old");
  moved.action = Action::Redirect;
  moved.status = 308;
  moved.location = "https://b.example/new/";
  moved.keep_path = true;
  Route fixed = file_route("health");
  fixed.action = Action::Respond;
  fixed.status = 200;
  fixed.content_type = "application/json";
  fixed.body = "{}";
  Route secret = file_route("secret");
  secret.needs_certificate = true;
  world.serve({moved, fixed, secret});
  CHECK(field(get(world, "/old/a/b?c=d"), "Location") == "https://b.example/new/a/b?c=d");
  CHECK(field(get(world, "/old"), "Location") == "https://b.example/new/");
  const Response health = get(world, "/health");
  CHECK(health.body == "{}");
  CHECK(field(health, "Content-Type") == "application/json");
  CHECK(field(health, "Cache-Control") == "no-store");
  CHECK(get(world, "/other").status == 404);
  const Peer peer = connect(world, Path::KernelSync);
  peer.get("/secret/a.txt");
  world.run_to_end(peer);
  CHECK(peer.responses().at(0).status == 403);
  const Response options = ask(world, Path::KernelSync, Peer::request("OPTIONS", "/health"));
  CHECK(field(options, "Allow") == "GET, HEAD, OPTIONS");
  CHECK(ask(world, Path::KernelSync, Peer::request("POST", "/health")).status == 405);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("a route's host: the target's where it has one, else the Host field's (RFC 9112 3.2.2)") {
  const auto fixed = [](const std::string& host) {
    Route route = file_route();
    route.host = host;
    route.action = Action::Respond;
    route.status = 200;
    route.content_type = "text/plain";
    route.body = host;
    return route;
  };
  World world;
  world.serve({fixed("one"), fixed("two")});
  struct Row {
    const char* target;
    const char* host;
    const char* body;
  };
  for (const Row& row : {Row{"/", "one", "one"}, Row{"/", "TWO:8443", "two"},
                         Row{"https://two/", "one", "two"}, Row{"http://one:1", "two", "one"}}) {
    CAPTURE(row.target);
    CAPTURE(row.host);
    const std::string head = std::string("GET ") + row.target + " HTTP/1.1\r\nHost: ";
    CHECK(ask(world, Path::KernelSync, head + row.host + "\r\n\r\n").body == row.body);
  }
  const std::string other = "GET https://three/ HTTP/1.1\r\nHost: one\r\n\r\n";
  CHECK(ask(world, Path::KernelSync, other).status == 404);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("the service's own paths are nobody's route") {
  World world;
  world.site.write(".spliced/manifest.json", 50);
  world.site.write(".spliced/index.html", 50);
  for (const char* path : {"/.spliced/manifest.json", "/.spliced", "/.spliced/", "/.spliced/x/"})
    CHECK(get(world, path).status == 404);
  // The daemon's own page is; what was packed with it is not.
  Route page = file_route(".spliced");
  page.mounted = true;
  Route docs = file_route("docs");
  docs.mounted = true;
  world.site.write("index.html", 50);
  world.serve({page, docs});  // the first is one of the own
  CHECK(get(world, "/.spliced/").status == 200);
  CHECK(get(world, "/.spliced/.spliced/manifest.json").status == 404);
  CHECK(get(world, "/docs/.spliced/manifest.json").status == 404);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("a new build has new validators, and a request goes on with the site it began with") {
  World world;
  const std::string content = world.site.write("file", 100'000);
  const std::string before = field(get(world, "/file"), "ETag");
  world.serve({}, "b2");
  const Response renewed = get(world, "/file", "If-None-Match: " + before + "\r\n");
  CHECK(renewed.status == 200);
  const std::string second = field(renewed, "ETag");
  CHECK(second != before);

  world.serve({}, "b3");
  const std::string third = field(get(world, "/file"), "ETag");
  CHECK(third != second);

  kernel().names_resident = false;
  world.ring->hold_file_operations = true;
  world.serve({}, "b3");
  const Peer peer = connect(world, Path::KernelSync);
  peer.get("/file");
  world.turns();
  REQUIRE(world.ring->held() == 1);
  world.serve({}, "b4");
  world.ring->hold_file_operations = false;
  world.ring->finish();
  world.pump(peer, 400);
  REQUIRE(peer.responses().size() == 1);
  CHECK(peer.responses()[0].body == content);
  CHECK(field(peer.responses()[0], "ETag") == third);
  CHECK(world.settle_accounts() == "");
}
