// SPDX-License-Identifier: Apache-2.0
// Scenarios: siblings in a content coding, chosen by Accept-Encoding (RFC 9110 12.5.3, 8.4), and
// never one of another version of the file.
#include <sys/stat.h>
#include <unistd.h>

#include <ostream>
#include <string>

#include "doctest/doctest.h"
#include "fakes/ask.hpp"

using namespace spliced;
using namespace spliced::fakes;

namespace {

std::string field(const Response& response, const std::string& name) {
  const size_t at = response.head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const size_t from = at + name.size() + 4;
  return response.head.substr(from, response.head.find('\r', from) - from);
}

std::string accept(const std::string& codings, const std::string& more = "") {
  return "Accept-Encoding: " + codings + "\r\n" + more;
}

struct Files {
  explicit Files(World& world, size_t size = 2000)
      : plain(world.site.write("app.js", size)),
        br(world.site.write_sibling("app.js.br", "app.js", size / 2)),
        gz(world.site.write_sibling("app.js.gz", "app.js", size / 2 + 10)) {}
  std::string plain, br, gz;
};

}  // namespace

TEST_CASE("the best sibling that the client takes") {
  struct Row {
    const char* rule;
    const char* codings;
    int status;
    const char* encoding;
  };
  for (size_t size : {size_t{2000}, size_t{200'000}}) {
    for (Path path : kPaths) {
      World world;
      const Files files(world, size);
      for (const Row& row : {
               Row{"a browser", "gzip, deflate, br, zstd", 200, "br"},
               Row{"one", "gzip", 200, "gzip"},
               Row{"not there, the next", "zstd, gzip;q=0.5", 200, "gzip"},
               Row{"none of ours", "deflate", 200, ""},
               Row{"nothing else will do, and it is there", "br, identity;q=0", 200, "br"},
               Row{"nothing else will do", "zstd, identity;q=0", 406, ""},
               Row{"nothing at all will do", "*;q=0", 406, ""},
               Row{"as it is", "identity;q=1, *;q=0", 200, ""},
           }) {
        CAPTURE(size);
        CAPTURE(row.rule);
        const Response got = ask(world, path, Peer::request("GET", "/app.js", accept(row.codings)));
        CHECK(got.status == row.status);
        CHECK(field(got, "Content-Encoding") == row.encoding);
        if (got.status != 200) continue;
        CHECK(field(got, "Vary") == "Accept-Encoding");
        CHECK(field(got, "Content-Type") == "text/javascript; charset=utf-8");
        const std::string encoding = row.encoding;
        CHECK(got.body == (encoding == "br"     ? files.br
                           : encoding == "gzip" ? files.gz
                                                : files.plain));
      }
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE(
    "each variant has its own validator, and ranges are of its own bytes (RFC 9110 8.8.3.3)") {
  World world;
  const Files files(world);
  const auto get = [&](const std::string& fields) {
    return ask(world, Path::KernelSync, Peer::request("GET", "/app.js", fields));
  };
  const std::string plain = field(get(""), "ETag"), br = field(get(accept("br")), "ETag"),
                    gz = field(get(accept("gzip")), "ETag");
  CHECK(plain != br);
  CHECK(br != gz);
  const Response same = get(accept("br", "If-None-Match: " + br + "\r\n"));
  CHECK(same.status == 304);
  CHECK(field(same, "ETag") == br);
  CHECK(field(same, "Vary") == "Accept-Encoding");  // RFC 9110 15.4.5
  CHECK(field(same, "Content-Encoding") == "");
  CHECK(get(accept("br", "If-None-Match: " + plain + "\r\n")).status == 200);
  CHECK(get(accept("br", "If-Match: " + gz + "\r\n")).status == 412);
  const Response part = get(accept("br", "Range: bytes=10-19\r\nIf-Range: " + br + "\r\n"));
  CHECK(part.status == 206);
  CHECK(part.body == files.br.substr(10, 10));
  CHECK(field(part, "Content-Range") == "bytes 10-19/1000");
  CHECK(field(part, "Content-Encoding") == "br");
  const Response other = get(accept("gzip", "Range: bytes=10-19\r\nIf-Range: " + br + "\r\n"));
  CHECK(other.status == 200);
  CHECK(other.body == files.gz);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("a sibling of another version is never sent, and a new one is found") {
  World world;
  const Files files(world);
  const std::string request = Peer::request("GET", "/app.js", accept("br"));
  CHECK(ask(world, Path::KernelSync, request).body == files.br);
  world.site.replace("app.js", "the new version");
  const Response renewed = ask(world, Path::KernelSync, request);
  CHECK(renewed.body == "the new version");
  CHECK(field(renewed, "Content-Encoding") == "");
  // Packed again.
  const std::string again = world.site.write_sibling("app.js.br", "app.js", 7);
  world.advance(limits::kFileKeptMs);
  CHECK(ask(world, Path::KernelSync, request).body == again);
  // A sibling that is gone is let go of, though its original is asked for all the time.
  world.site.replace("app.js.br", "older or newer, but not of this file");
  world.advance(limits::kFileKeptMs / 2);
  CHECK(ask(world, Path::KernelSync, request).body == again);
  world.advance(limits::kFileKeptMs / 2);
  CHECK(ask(world, Path::KernelSync, request).body == "the new version");
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("siblings on a cold disk are asked for one after the other") {
  for (Path path : kPaths) {
    World world;
    const Files files(world, 100'000);
    kernel().residency = Kernel::Residency::Cold;
    kernel().names_resident = false;
    const Response got =
        ask(world, path, Peer::request("GET", "/app.js", accept("zstd, gzip, br;q=0.1")));
    CHECK(got.body == files.gz);
    // What is known is not asked for again.
    const uint64_t misses = world.figures.files.misses.get();
    kernel().names_resident = true;
    CHECK(ask(world, path, Peer::request("GET", "/app.js", accept("zstd, gzip"))).body == files.gz);
    CHECK(world.figures.files.misses.get() == misses);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("a sibling that is no regular file, or leads out, is none") {
  World world;
  const std::string plain = world.site.write("app.js", 100);
  REQUIRE(::symlink("/etc/passwd", world.site.path("app.js.br").c_str()) == 0);
  REQUIRE(::mkdir(world.site.path("app.js.gz").c_str(), 0700) == 0);
  const Response got =
      ask(world, Path::KernelSync, Peer::request("GET", "/app.js", accept("br, gzip")));
  CHECK(got.body == plain);
  CHECK(world.settle_accounts() == "");
}
