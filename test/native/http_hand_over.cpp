// SPDX-License-Identifier: Apache-2.0
// Answers that name a file: which file that is, and which fields stay.
#include <string>

#include "doctest/doctest.h"
#include "http/hand_over.hpp"
#include "http/upstream_response.hpp"

using namespace spliced::http;

namespace {

Route internal(const std::string& prefix, const std::string& root) {
  Route route;
  route.prefix = prefix;
  route.root = root;
  route.mounted = route.internal = true;
  return route;
}

struct World {
  Routes routes;
  Route proxy;
  World() {
    for (const auto& [prefix, root] : {std::pair<const char*, const char*>{"recordings", "/data/r"},
                                       {"recordings/old", "/archive/"},
                                       {"secret", "/data/secret"}})
      CHECK(routes.add(internal(prefix, root)) == nullptr);
    proxy.action = Action::Proxy;
    CHECK(proxy.accelerate.add("/recordings"));
  }
  // "recordings/a.mp4", or the name of the fault in brackets.
  std::string find(const std::string& field, const std::string& value) {
    const std::string head = "HTTP/1.1 200 OK\r\n" + field + ": " + value + "\r\n\r\n";
    PathBuffer path;
    const HandOverTarget target =
        find_hand_over(routes, proxy, "device", find_named_file(head), path);
    if (target.route == nullptr)
      return std::string("[") + kHandOverFaultNames[static_cast<size_t>(target.fault)] + "]";
    return target.route->prefix + " " + std::string(path.view()) + (target.directory ? "/" : "");
  }
};

}  // namespace

TEST_CASE("X-Accel-Redirect names a path of an internal route that is allowed") {
  World world;
  const auto accel = [&](const std::string& value) {
    return world.find("x-accel-redirect", value);
  };
  CHECK(accel("/recordings/1.mp4") == "recordings recordings/1.mp4");
  CHECK(accel("/recordings/a%20b%C3%A4.mp4?x=1") == "recordings recordings/a b\xC3\xA4.mp4");
  CHECK(accel("/recordings/a b.mp4") == "recordings recordings/a b.mp4");
  CHECK(accel("/recordings/old/2.mp4") == "recordings/old recordings/old/2.mp4");
  CHECK(accel("/recordings/") == "recordings recordings/");
  CHECK(accel("/recordings") == "recordings recordings");
  CHECK(accel("/secret/key") == "[not_allowed]");
  CHECK(accel("/recordingsx/1.mp4") == "[not_allowed]");
  CHECK(accel("/") == "[not_allowed]");
  CHECK(accel("/other") == "[not_allowed]");
  for (const char* value :
       {"", "recordings/1.mp4", "https://device/recordings/1.mp4", "//recordings/1.mp4",
        "/recordings/../secret/key", "/recordings/%2e%2e/secret/key", "/recordings/./1.mp4",
        "/recordings//1.mp4", "/recordings/a%2fb", "/recordings/%00", "/recordings/%zz",
        "/recordings/1.mp4#x", "/recordings/a\\..\\b", "@named"}) {
    CAPTURE(value);
    CHECK(accel(value) == "[bad_field]");
  }
}

TEST_CASE("X-Sendfile names a file below the root of an internal route that is allowed") {
  World world;
  const auto send = [&](const std::string& value) { return world.find("X-Sendfile", value); };
  CHECK(send("/data/r/1.mp4") == "recordings 1.mp4");
  CHECK(send("/data/r/100%/a b.mp4") == "recordings 100%/a b.mp4");  // as it is, not a URL's
  CHECK(send("/archive/deep/2.mp4") == "recordings/old deep/2.mp4");
  for (const char* value : {"/data/secret/key", "/data/r", "/data/r/", "/data/r/../secret/key",
                            "/data/r//1.mp4", "/data/r/./1.mp4", "/data/rx/1.mp4", "/etc/passwd",
                            "/data/r/.spliced/manifest.json", "/recordings/1.mp4"}) {
    CAPTURE(value);
    CHECK(send(value) == "[not_allowed]");
  }
  CHECK(send("1.mp4") == "[bad_field]");
  CHECK(send("") == "[bad_field]");
}

TEST_CASE("a field that comes twice, or beside the other one, names nothing") {
  World world;
  for (const char* second : {"X-Accel-Redirect: /recordings/1.mp4", "x-sendfile: /data/r/1.mp4"}) {
    const std::string head =
        std::string("HTTP/1.1 200 OK\r\nX-Accel-Redirect: /recordings/1.mp4\r\n") + second +
        "\r\n\r\n";
    const NamedFile named = find_named_file(head);
    PathBuffer path;
    CHECK(named.repeated);
    CHECK(find_hand_over(world.routes, world.proxy, "", named, path).fault == HandOverFault::Field);
  }
  CHECK(find_named_file("HTTP/1.1 200 OK\r\nX-Sendfile-Type: a\r\n\r\n").field.empty());
}

TEST_CASE("an internal route is nowhere for a client") {
  World world;
  Route files;
  Route hosted;
  hosted.host = "device";
  hosted.action = Action::Proxy;
  hosted.methods = kProxied;
  Route shown;
  shown.prefix = "recordings/shown";
  for (const Route& route : {files, hosted, shown}) CHECK(world.routes.add(route) == nullptr);
  for (const Method method : {Method::Get, Method::Head, Method::Post, Method::Options})
    for (const char* path : {"recordings", "recordings/1.mp4", "recordings/old/x", "secret/key"})
      for (const char* host : {"device", "device:8443", "other", ""}) {
        CAPTURE(path);
        const Routes::Match match = world.routes.find(host, path, method);
        CHECK(match.route == nullptr);
        CHECK(match.allowed == 0);
      }
  CHECK(world.routes.find("", "recordings/shown/1", Method::Get).route != nullptr);
  CHECK(world.routes.find("", "recordingsx", Method::Get).route != nullptr);
  Route open = internal("x", "/x");
  open.mounted = false;
  CHECK(world.routes.add(open) != nullptr);
}

TEST_CASE("what stays of a head, and what gives way") {
  Route proxy, files;
  proxy.fields = "X-Ours: 1\r\n";
  files.fields = "X-Ours: 2\r\nX-Frame-Options: SAMEORIGIN\r\nContent-Language: de\r\n";
  const std::string head =
      "HTTP/1.1 206 Partial Content\r\nX-Accel-Redirect: /r/a\r\nContent-Length: 5\r\n"
      "Content-Type: video/mp4\r\nContent-Disposition: attachment\r\nSet-Cookie: a=1\r\n"
      "Set-Cookie: b=2\r\nETag: \"x\"\r\nLast-Modified: y\r\nContent-Encoding: gzip\r\n"
      "Content-Range: bytes 0-4/9\r\nAccept-Ranges: none\r\nDate: z\r\nConnection: x-private\r\n"
      "X-Private: 1\r\nx-ours: theirs\r\ncontent-language: en\r\nX-Sendfile-Type: x\r\n"
      "Transfer-Encoding: chunked\r\nKeep-Alive: timeout=5\r\nContent-Digest: sha-256=::\r\n\r\n";
  const KeptFields kept = keep_fields(head, 206, "Partial Content", proxy, files);
  CHECK(kept.status == 200);
  CHECK(kept.lines ==
        "Content-Disposition: attachment\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
        "content-language: en\r\nX-Ours: 1\r\n");
  CHECK(kept.type == "Content-Type: video/mp4\r\n");
  CHECK(kept.fields == "X-Frame-Options: SAMEORIGIN\r\n");
  CHECK_FALSE(kept.has_cache_rule);
  CHECK(
      keep_fields("HTTP/1.1 404 No\r\nExpires: 0\r\n\r\n", 404, "No", proxy, files).has_cache_rule);
  CHECK(keep_fields("HTTP/1.1 304 X\r\n\r\n", 304, "X", proxy, files).status == 200);
}

TEST_CASE("a request that waits for its file keeps what that depends on") {
  const std::string head =
      "GET /a HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\nCookie: x\r\nIf-None-Match: \"a\"\r\n"
      "accept-encoding: br\r\nIf-None-Match: \"b\"\r\nX-Accel-Redirect: /r/a\r\n\r\n";
  RequestHead request;
  const std::string kept = keep_request(head, Method::Get);
  CHECK(parse_head(kept, request).outcome == Outcome::Complete);
  CHECK(request.range == "bytes=0-1");
  CHECK(kept.find("If-None-Match: \"a\"\r\naccept-encoding: br\r\nIf-None-Match: \"b\"") !=
        kept.npos);
  CHECK(kept.find("Cookie") == kept.npos);
  CHECK(kept.find("Accel") == kept.npos);
  const std::string posted = keep_request(head, Method::Post);
  CHECK(posted == "GET / HTTP/1.1\r\nHost: _\r\naccept-encoding: br\r\n\r\n");
  CHECK(keep_request(head, Method::Head).substr(0, 5) == "HEAD ");
}
