// SPDX-License-Identifier: Apache-2.0
// Scenarios: an application answers with a file that the engine sends.
#include <memory>
#include <string>

#include "doctest/doctest.h"
#include "fakes/proxied.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::Ending;
using conn::State;

namespace {

class Handing : public Proxied {
 public:
  conn::IncidentLog incidents;

  Handing() {
    http::Route proxy = proxy_route();
    REQUIRE(proxy.accelerate.add("/recordings"));
    http::Route files;
    files.prefix = "recordings";
    files.internal = files.mounted = true;
    files.root = "/data/recordings";
    files.index = "index.html";
    files.fields = "X-Files: 1\r\n";
    serve({proxy, files});
    services->incident_log = &incidents;
  }

  // The client's answer to a request that the application answers with `said`.
  Response exchange(const Peer& peer, const std::string& said, const std::string& request) {
    const size_t before = peer.responses().size();
    peer.sends(request);
    play(peer);
    application().peer_sends(said);
    play(peer, 400);
    const auto all = peer.responses({request.substr(0, 4) == "HEAD"});
    REQUIRE(all.size() == before + 1);
    return all.back();
  }
  std::string reason() {
    const auto batch = incidents.take();
    return batch.incidents.size() == 1 ? batch.incidents[0].reason : "";
  }
};

std::string naming(const std::string& file, const std::string& fields = "",
                   const std::string& body = "dropped", const std::string& status = "200 OK") {
  return "HTTP/1.1 " + status + "\r\nX-Accel-Redirect: " + file +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + fields + "\r\n" + body;
}

std::string get(const std::string& fields = "") {
  return Peer::request("GET", "/x", fields);
}

bool has(const Response& response, const std::string& line) {
  return response.head.find("\r\n" + line + "\r\n") != std::string::npos;
}

}  // namespace

TEST_CASE("a file of every size takes the place of the answer, over each of the ways of a body") {
  for (const Path path : kPaths) {
    for (const bool cold : {false, true}) {
      for (const size_t bytes : {0, 100, 14'000, 200'000}) {
        CAPTURE(static_cast<int>(path));
        CAPTURE(cold);
        CAPTURE(bytes);
        Handing world;
        const std::string content = world.site.write("a.mp4", bytes);
        kernel().names_resident = !cold;
        const Peer peer = connect(world, path, 30'000);
        const Response got = world.exchange(
            peer, naming("/recordings/a.mp4", "Set-Cookie: s=1\r\nContent-Type: video/x\r\n"),
            get());
        CHECK(got.status == 200);
        CHECK(got.body == content);
        CHECK(has(got, "Set-Cookie: s=1"));
        CHECK(has(got, "Content-Type: video/x"));
        CHECK(has(got, "Accept-Ranges: bytes"));
        CHECK(has(got, "Cache-Control: private, no-cache"));
        CHECK(has(got, "X-Files: 1"));
        CHECK(got.head.find("Accel") == got.head.npos);
        CHECK(world.figures.upstreams_idle.get() == 1);  // its body was short, and is forgotten
        CHECK(world.figures.handed_over.get() == 1);
        CHECK(world.state(peer) == State::ReadHead);
        const Response again = world.exchange(peer, answer("own"), get());
        CHECK(again.body == "own");
        CHECK(world.settle_accounts() == "");
      }
    }
  }
}

TEST_CASE("conditions, ranges and HEAD are the file's") {
  Handing world;
  const std::string content = world.site.write("a.mp4", 50'000);
  const Peer peer = connect(world, Path::KernelSync);
  const auto ask = [&](const std::string& fields, const std::string& extra = "ETag: \"its\"\r\n") {
    return world.exchange(peer, naming("/recordings/a.mp4", extra), get(fields));
  };
  const Response whole = ask("");
  const size_t at = whole.head.find("ETag: ") + 6;
  const std::string etag = whole.head.substr(at, whole.head.find('\r', at) - at);
  CHECK(etag != "\"its\"");
  const Response part = ask("Range: bytes=1000-1999\r\n");
  CHECK(part.status == 206);
  CHECK(part.body == content.substr(1000, 1000));
  const Response parts = ask("Range: bytes=0-9,2000-2009\r\n", "Content-Type: video/x\r\n");
  CHECK(parts.status == 206);
  CHECK(parts.head.find("Content-Type: multipart/byteranges") != parts.head.npos);
  CHECK(parts.body.find("Content-Type: video/x\r\n") != parts.body.npos);
  const Response unchanged = ask("If-None-Match: " + etag + "\r\n", "Set-Cookie: s=1\r\n");
  CHECK(unchanged.status == 304);
  CHECK(has(unchanged, "Set-Cookie: s=1"));
  CHECK(ask("If-None-Match: \"its\"\r\n").status == 200);
  CHECK(ask("If-Match: \"its\"\r\n").status == 412);
  CHECK(ask("Range: bytes=99999-\r\n").status == 416);
  // Another status is no file of which parts can be asked for.
  const Response gone = world.exchange(peer, naming("/recordings/a.mp4", "", "", "410 Was Here"),
                                       get("Range: bytes=0-1\r\nIf-None-Match: *\r\n"));
  CHECK(gone.head.find("HTTP/1.1 410 Was Here\r\n") == 0);
  CHECK(gone.body == content);
  CHECK(gone.head.find("ETag") == gone.head.npos);
  CHECK(gone.head.find("Accept-Ranges") == gone.head.npos);
  const Peer other = connect(world, Path::KernelSync);
  other.sends(Peer::request("HEAD", "/x"));
  world.play(other);
  world.application().peer_sends(naming("/recordings/a.mp4", "", ""));
  world.play(other);
  const auto heads = other.responses({true});
  REQUIRE(heads.size() == 1);
  CHECK(heads[0].content_length == content.size());
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("what cannot be sent is told, and nothing of the application's answer is") {
  const struct {
    std::string said;
    int status;
    std::string reason;
  } cases[] = {
      {naming("/recordings/none.mp4"), 404, "missing"},
      {naming("/recordings"), 404, "missing"},
      {naming("/recordings/.spliced/manifest.json"), 404, "missing"},
      {naming("/recordings/directory"), 404, "missing"},
      {naming("/other/a.mp4"), 502, "not_allowed"},
      {naming("/recordings/../a.mp4"), 502, "bad_field"},
      {naming("/recordings/a.mp4", "X-Sendfile: /data/recordings/a.mp4\r\n"), 502, "bad_field"},
      {naming("/recordings/a.mp4", "", "", "204 No Content"), 502, "bad_status"},
  };
  for (const auto& [said, status, reason] : cases) {
    CAPTURE(said.substr(0, 100));
    Handing world;
    world.site.write("a.mp4", 100);
    world.site.write("directory/b", 100);
    const Peer peer = connect(world, Path::KernelSync);
    const Response got = world.exchange(peer, said, get());
    CHECK(got.status == status);
    CHECK(got.body.find("dropped") == got.body.npos);
    CHECK(got.head.find("Set-Cookie") == got.head.npos);
    CHECK(world.reason() == reason);
    CHECK(world.figures.handed_over.get() == (status == 404));
    CHECK(world.exchange(peer, answer("next"), get()).body == "next");
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("a body that is long, or does not come, costs the application its connection alone") {
  for (const std::string& said :
       {"HTTP/1.1 200 OK\r\nX-Sendfile: /data/recordings/a.mp4\r\nContent-Length: 70000\r\n\r\n" +
            std::string(70'000, 'x'),
        std::string("HTTP/1.1 200 OK\r\nX-Sendfile: /data/recordings/a.mp4\r\nContent-Length: 9\r\n"
                    "\r\nxx"),
        std::string("HTTP/1.1 200 OK\r\nX-Sendfile: /data/recordings/a.mp4\r\n"
                    "Transfer-Encoding: chunked\r\n\r\nnone"),
        std::string(
            "HTTP/1.0 200 OK\r\nX-Sendfile: /data/recordings/a.mp4\r\n\r\nuntil the end")}) {
    Handing world;
    const std::string content = world.site.write("a.mp4", 40'000);
    const Peer peer = connect(world, Path::KernelAsync);
    CHECK(world.exchange(peer, said, get()).body == content);
    CHECK(world.figures.upstreams_idle.get() == 0);
    CHECK(world.application().closed());
    CHECK(world.exchange(peer, answer("next"), get()).body == "next");
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("a chunked body that is here is forgotten, and the connection goes on") {
  Handing world;
  const std::string content = world.site.write("a.mp4", 40'000);
  const Peer peer = connect(world, Path::KernelSync);
  const std::string said =
      "HTTP/1.1 200 OK\r\nX-Accel-Redirect: /recordings/a.mp4\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n0\r\n\r\n";
  CHECK(world.exchange(peer, said, get()).body == content);
  CHECK(world.figures.upstreams_idle.get() == 1);
  CHECK(world.exchange(peer, answer("next"), get()).body == "next");
  CHECK(world.connections() == 1);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("an answer before the request's body has come ends the connection behind the file") {
  Handing world;
  const std::string content = world.site.write("a.mp4", 40'000);
  const Peer peer = connect(world, Path::KernelSync);
  peer.sends(Peer::request("POST", "/x", "Content-Length: 1000\r\nRange: bytes=0-1\r\n") + "begun");
  world.play(peer);
  world.application().peer_sends(naming("/recordings/a.mp4"));
  world.play(peer, 400);
  const auto all = peer.responses();
  REQUIRE(all.size() == 1);
  CHECK(all[0].status == 200);
  CHECK(all[0].body == content);
  CHECK(has(all[0], "Connection: close"));
  peer.says_goodbye();
  world.run_to_end(peer);
  CHECK(world.ending(peer) == Ending::Drained);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("a route without `accelerate` hands nothing over, and no field goes on either way") {
  Handing world;
  http::Route files;
  files.prefix = "recordings";
  files.internal = files.mounted = true;
  world.serve({proxy_route(), files});
  world.site.write("a.mp4", 100);
  const Peer peer = connect(world, Path::KernelSync);
  const Response got = world.exchange(
      peer, naming("/recordings/a.mp4"),
      get("X-Accel-Redirect: /recordings/a.mp4\r\nX-Sendfile-Type: X-Accel-Redirect\r\n"
          "X-Accel-Mapping: /=/recordings/\r\nX-Sendfile: /a\r\n"));
  CHECK(got.status == 502);
  CHECK(world.reason() == "not_allowed");
  CHECK(world.asked().find("Accel") == std::string::npos);
  CHECK(world.asked().find("Sendfile") == std::string::npos);
  const Response echo =
      world.exchange(peer, answer("x", "X-Sendfile-Temporary: /secret\r\n"), get());
  CHECK(echo.head.find("secret") == echo.head.npos);
  CHECK(world.settle_accounts() == "");
}
