// SPDX-License-Identifier: Apache-2.0
// Scenarios: bodies of several ranges, which are a sequence of pieces from memory and from the
// file.
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "doctest/doctest.h"
#include "fakes/ask.hpp"

using namespace spliced;
using namespace spliced::fakes;

namespace {

// The parts of a multipart/byteranges body (RFC 9110 14.6): their Content-Range, and their bytes.
using PartList = std::vector<std::pair<std::string, std::string>>;
PartList parts_of(const Response& response) {
  const std::string field = "Content-Type: multipart/byteranges; boundary=";
  const size_t at = response.head.find(field);
  REQUIRE(at != std::string::npos);
  const size_t from = at + field.size();
  const std::string delimiter =
      "--" + response.head.substr(from, response.head.find('\r', from) - from);
  PartList parts;
  const std::string& body = response.body;
  for (size_t next = 0;;) {
    REQUIRE(body.compare(next, delimiter.size(), delimiter) == 0);
    next += delimiter.size();
    if (body.compare(next, 4, "--\r\n") == 0) {
      CHECK(next + 4 == body.size());
      return parts;
    }
    const size_t head_end = body.find("\r\n\r\n", next);
    const size_t end = body.find("\r\n" + delimiter, head_end + 4);
    REQUIRE(end != std::string::npos);
    const std::string head = body.substr(next, head_end + 2 - next);
    CHECK(head.find("\r\nContent-Type: application/octet-stream\r\n") != std::string::npos);
    const size_t range = head.find("Content-Range: ") + 15;
    parts.emplace_back(head.substr(range, head.find('\r', range) - range),
                       body.substr(head_end + 4, end - head_end - 4));
    next = end + 2;
  }
}

}  // namespace

TEST_CASE("several ranges: a part for each, in the order of the request (RFC 9110 15.3.7.2)") {
  for (Path path : kPaths) {
    for (size_t size : {size_t{1000}, size_t{400'000}}) {
      for (Kernel::Residency residency : {Kernel::Residency::Resident, Kernel::Residency::Cold}) {
        CAPTURE(static_cast<int>(path));
        CAPTURE(size);
        CAPTURE(static_cast<int>(residency));
        World world;
        const std::string content = world.site.write("file", size);
        kernel().residency = residency;
        const size_t half = size / 2;
        const std::string fields = "Range: bytes=" + std::to_string(half) + "-" +
                                   std::to_string(half + size / 4) + ",0-0,-7,9999999-\r\n";
        const Response response = ask(world, path, Peer::request("GET", "/file", fields));
        CHECK(response.status == 206);
        CHECK(response.head.find("\r\nContent-Range") == std::string::npos);
        const std::string total = "/" + std::to_string(size);
        const auto range = [&](size_t first, size_t last) {
          return "bytes " + std::to_string(first) + "-" + std::to_string(last) + total;
        };
        const PartList expected = {
            {range(half, half + size / 4), content.substr(half, size / 4 + 1)},
            {range(0, 0), content.substr(0, 1)},
            {range(size - 7, size - 1), content.substr(size - 7)}};
        CHECK(parts_of(response) == expected);
        CHECK(world.settle_accounts() == "");
      }
    }
  }
}

TEST_CASE("several ranges: what is pipelined behind them is answered") {
  World world;
  const std::string content = world.site.write("large", 300'000);
  const std::string small = world.site.write("small", 100);
  const Peer peer = connect(world, Path::KernelAsync, 4096);
  peer.sends(Peer::request("GET", "/large", "Range: bytes=0-99999,200000-\r\n") +
             Peer::request("GET", "/large", "Range: bytes=0-99,50-199\r\n") +
             Peer::request("HEAD", "/large", "Range: bytes=0-1,1000-1001\r\n") +
             Peer::request("GET", "/small", "Connection: close\r\n"));
  world.run_to_end(peer);
  const auto got = peer.responses({false, false, true});
  REQUIRE(got.size() == 4);
  CHECK(parts_of(got[0]).size() == 2);
  CHECK(got[1].status == 206);  // joined: one range, no parts (RFC 9110 15.3.7.2)
  CHECK(got[1].body == content.substr(0, 200));
  CHECK(got[2].status == 200);
  CHECK(got[3].body == small);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("several ranges: a file that is cut meanwhile ends the connection visibly") {
  for (Path path : kPaths) {
    World world;
    world.site.write("large", 300'000);
    const Peer peer = connect(world, path, 30'000);
    peer.get("/large", "Range: bytes=0-99999,200000-299999\r\n");
    world.turns();
    peer.socket().cipher_completes_all();
    peer.socket().peer_takes();
    world.site.truncate("large", 150'000);
    world.run_to_end(peer);
    REQUIRE(peer.responses().size() == 1);
    CHECK_FALSE(peer.responses()[0].whole);
    CHECK(peer.alerts().empty());
    CHECK(world.ending(peer) == conn::Ending::Aborted);
    CHECK(world.settle_accounts() == "");
  }
}
