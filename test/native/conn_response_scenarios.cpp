// SPDX-License-Identifier: Apache-2.0
// Scenarios: what is answered, in which order and from where. Kernel TLS and user space side by
// side.
#include <algorithm>
#include <ostream>
#include <string>

#include "doctest/doctest.h"
#include "fakes/ask.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::State;

TEST_CASE("a file of every size arrives whole, from every place, by every path") {
  for (size_t size : {size_t{0}, size_t{1}, size_t{1000}, size_t{15 * 1024}, size_t{15 * 1024 + 1},
                      size_t{16384}, size_t{65536}, size_t{65537}, size_t{300'001}}) {
    for (Path path : kPaths) {
      for (Kernel::Residency residency :
           {Kernel::Residency::Resident, Kernel::Residency::Cold, Kernel::Residency::Unknown,
            Kernel::Residency::InMemory}) {
        CAPTURE(size);
        CAPTURE(static_cast<int>(path));
        CAPTURE(static_cast<int>(residency));
        World world;
        const std::string content = world.site.write("file.bin", size);
        kernel().residency = residency;
        const Response response = ask(world, path, Peer::request("GET", "/file.bin"));
        CHECK(response.status == 200);
        CHECK(response.content_length == size);
        CHECK(response.body == content);
        const bool cold =
            residency == Kernel::Residency::Cold || residency == Kernel::Residency::Unknown;
        CHECK((world.figures.files.cold_fills.get() > 0) == (cold && size > 0));
        CHECK(world.settle_accounts() == "");
      }
    }
  }
}

TEST_CASE("a small body is kept, unless it was changed a moment ago") {
  for (int64_t earlier_s : {0, 3600}) {
    CAPTURE(earlier_s);
    World world;
    const std::string content = world.site.write("small", 3000);
    world.services->wall_s -= earlier_s;
    const Peer peer = connect(world, Path::KernelSync);
    peer.get("/small");
    world.pump(peer);
    kernel().residency = Kernel::Residency::Cold;
    peer.get("/small");
    world.pump(peer);
    REQUIRE(peer.responses().size() == 2);
    CHECK(peer.responses()[0].body == content);
    CHECK(peer.responses()[1].body == content);
    const bool kept = world.figures.files.cold_fills.get() == 0;
    CHECK(kept == (earlier_s == 0));
    CHECK(world.figures.files.hits.get() == 1);
    CHECK(world.settle_accounts() == "");
  }
}

namespace {

// As many records as their bytes need: none was closed short.
size_t records_for(const std::string& bytes) {
  return (bytes.size() + limits::kRecordPlaintextBytes - 1) / limits::kRecordPlaintextBytes;
}

}  // namespace

TEST_CASE("a kept body leaves with its head, in full records, and its file is not touched") {
  for (size_t size : {size_t{16'000}, size_t{16'384}, size_t{40'000}, size_t{65'536}}) {
    for (Path path : kPaths) {
      CAPTURE(size);
      CAPTURE(static_cast<int>(path));
      World world;
      const std::string content = world.site.write("kept", size);
      const Peer peer = connect(world, path, 1 << 20);
      peer.get("/kept");
      world.pump(peer);
      kernel().residency = Kernel::Residency::Cold;
      const size_t before = peer.arrived().plaintext.size();
      const uint64_t records = peer.socket().records_sent();
      peer.get("/kept");
      world.pump(peer);
      REQUIRE(peer.responses().size() == 2);
      CHECK(peer.responses()[1].body == content);
      CHECK(world.figures.files.cold_fills.get() == 0);
      CHECK(world.figures.spliced_bytes.get() == 0);
      if (path != Path::UserSpace)
        CHECK(peer.socket().records_sent() - records ==
              records_for(peer.arrived().plaintext.substr(before)));
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("a kept body goes on where the socket had no more room") {
  for (size_t take_at_most : {size_t{1}, size_t{700}, size_t{16'384}, SIZE_MAX}) {
    for (Path path : kPaths) {
      CAPTURE(take_at_most);
      CAPTURE(static_cast<int>(path));
      World world;
      const size_t size = take_at_most == 1 ? 15'999 : 60'000;
      const std::string content = world.site.write("kept", size);
      const Peer peer = connect(world, path, 4096);
      peer.socket().take_at_most = take_at_most;
      peer.sends(Peer::request("GET", "/kept", "Range: bytes=10-\r\n"));
      world.pump(peer, 4000);
      REQUIRE(peer.responses().size() == 1);
      CHECK(peer.responses()[0].body == content.substr(10));
      CHECK(world.figures.spliced_bytes.get() == 0);
      peer.says_goodbye();
      world.run_to_end(peer);
      CHECK(world.ending(peer) == conn::Ending::Drained);
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("what is kept of bodies is bounded, and given back") {
  World world;
  constexpr size_t kSize = limits::kKeptBodyBytesMax;
  constexpr size_t kFiles = limits::kKeptBodiesBytesMax / kSize;
  const Peer peer = connect(world, Path::KernelSync, 1 << 20);
  for (size_t i = 0; i <= kFiles; i++) {
    const std::string name = "file-" + std::to_string(i);
    const std::string content = world.site.write(name, kSize);
    peer.get("/" + name);
    world.pump(peer, 5);  // all within limits::kFileKeptMs
    REQUIRE(peer.responses().size() == i + 1);
    CHECK(peer.responses().back().body == content);
    CHECK(world.services->kept_bodies.used_bytes() == std::min(i + 1, kFiles) * kSize);
  }
  CHECK(world.figures.spliced_bytes.get() > 0);  // the last one went from its file
  const std::string larger = world.site.write("larger", kSize + 1);
  peer.get("/larger");
  world.pump(peer);
  CHECK(peer.responses().back().body == larger);
  CHECK(world.services->kept_bodies.used_bytes() <= limits::kKeptBodiesBytesMax);
  world.services->site->files[0]->sweep(world.services->now_ms + 2 * limits::kFileKeptMs);
  CHECK(world.services->kept_bodies.used_bytes() == 0);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("the statuses, with and without a body") {
  struct Row {
    const char* rule;
    std::string request;
    int status;
    bool head;
    const char* body;  // null: not looked at
  };
  World world;
  world.site.write("ten", 10);
  const std::string ten = Site::content("ten", 10), part = ten.substr(2, 3);
  for (const Row& row : {
           Row{"GET", Peer::request("GET", "/ten"), 200, false, ten.c_str()},
           Row{"HEAD", Peer::request("HEAD", "/ten"), 200, true, ""},
           Row{"range", Peer::request("GET", "/ten", "Range: bytes=2-4\r\n"), 206, false,
               part.c_str()},
           Row{"range on HEAD is ignored", Peer::request("HEAD", "/ten", "Range: bytes=2-4\r\n"),
               200, true, ""},
           Row{"range behind the end", Peer::request("GET", "/ten", "Range: bytes=10-\r\n"), 416,
               false, nullptr},
           Row{"not modified", Peer::request("GET", "/ten", "If-None-Match: *\r\n"), 304, false,
               ""},
           Row{"precondition", Peer::request("GET", "/ten", "If-Match: \"x\"\r\n"), 412, false,
               nullptr},
           Row{"missing", Peer::request("GET", "/eleven"), 404, false, nullptr},
           Row{"missing, HEAD", Peer::request("HEAD", "/eleven"), 404, true, ""},
           Row{"above the root", Peer::request("GET", "/../ten"), 400, false, nullptr},
           Row{"reserved", Peer::request("GET", "/.spliced/status"), 404, false, nullptr},
           Row{"method (RFC 9110 15.5.6)", Peer::request("PUT", "/ten"), 405, false, nullptr},
           Row{"no method at all (15.6.2)", Peer::request("BREW", "/ten"), 501, false, nullptr},
           Row{"absolute-form (RFC 9112 3.2.2)", Peer::request("GET", "https://b/ten"), 200, false,
               ten.c_str()},
           Row{"OPTIONS (9.3.7)", Peer::request("OPTIONS", "/ten"), 204, false, ""},
           Row{"OPTIONS of the server (RFC 9112 3.2.4)", Peer::request("OPTIONS", "*"), 204, false,
               ""},
           Row{"asterisk-form is for OPTIONS", Peer::request("GET", "*"), 400, false, nullptr},
           Row{"authority-form", Peer::request("CONNECT", "a:443"), 405, false, nullptr},
       }) {
    CAPTURE(row.rule);
    const Response response = ask(world, Path::KernelSync, row.request, row.head);
    CHECK(response.status == row.status);
    if (row.body != nullptr) CHECK(response.body == row.body);
  }
  CHECK(world.figures.requests.get() == 18);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("a range of a large file comes from the right place") {
  for (Path path : kPaths) {
    World world;
    const std::string content = world.site.write("large", 400'000);
    const Response response =
        ask(world, path, Peer::request("GET", "/large", "Range: bytes=70001-270000\r\n"));
    CHECK(response.status == 206);
    CHECK(response.body == content.substr(70'001, 200'000));
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("the status page is for loopback peers") {
  World world;
  world.status_page = R"({"a":1})";
  const Peer peer = world.connect([](Socket& s, TlsScript&) { s.peer_is_loopback = true; });
  peer.get("/.spliced/status");
  world.pump(peer);
  REQUIRE(peer.responses().size() == 1);
  CHECK(peer.responses()[0].body == world.status_page);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("a head that is refused ends the connection, with its answer delivered") {
  struct Row {
    const char* rule;
    std::string request;
    int status;
  };
  for (const Row& row : {
           Row{"too large", "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(17'000, 'x'), 431},
           Row{"no head at all", "\x01\x02\r\n\r\n", 400},
           Row{"version", "GET / HTTP/2.0\r\n\r\n", 505},
       }) {
    CAPTURE(row.rule);
    World world;
    const Peer peer = connect(world, Path::KernelAsync);
    peer.sends(row.request);
    world.run_to_end(peer);
    REQUIRE(peer.responses().size() == 1);
    CHECK(peer.responses()[0].status == row.status);
    CHECK(peer.responses()[0].whole);
    CHECK(peer.alerts() == std::vector<uint8_t>{0});
    CHECK(world.ending(peer) == conn::Ending::Drained);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("the answer to a HEAD that is refused has no body (RFC 9110 9.3.2)") {
  World world;
  const Peer peer = connect(world, Path::KernelSync);
  peer.sends("HEAD / HTTP/1.1\r\n\r\n");  // no Host
  world.run_to_end(peer);
  const std::string plaintext = peer.arrived().plaintext;
  CHECK(plaintext.substr(9, 3) == "400");
  CHECK(plaintext.size() == plaintext.find("\r\n\r\n") + 4);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("pipelined requests are answered in their order, whatever each takes") {
  for (Path path : kPaths) {
    for (size_t piece : {size_t{1}, size_t{7}, size_t{1000}, size_t{100'000}}) {
      CAPTURE(static_cast<int>(path));
      CAPTURE(piece);
      World world;
      const std::string small = world.site.write("small", 900);
      const std::string large = world.site.write("large", 200'000);
      kernel().residency = Kernel::Residency::Cold;
      const Peer peer = connect(world, path);
      const std::string all = Peer::request("GET", "/large") + Peer::request("HEAD", "/small") +
                              Peer::request("GET", "/none") + Peer::request("GET", "/small") +
                              Peer::request("GET", "/large", "Connection: close\r\n") +
                              Peer::request("GET", "/small");
      for (size_t at = 0; at < all.size(); at += piece) peer.sends(all.substr(at, piece));
      world.run_to_end(peer);
      const auto got = peer.responses({false, true});
      REQUIRE(got.size() == 5);
      CHECK(got[0].body == large);
      CHECK(got[1].content_length == 900);
      CHECK(got[2].status == 404);
      CHECK(got[3].body == small);
      CHECK(got[4].body == large);
      CHECK(world.ending(peer) == conn::Ending::Drained);
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("a cold open and a cold fill may complete in any order with other things") {
  World world;
  const std::string one = world.site.write("one/file", 2000);
  const std::string two = world.site.write("two/file", 150'000);
  kernel().residency = Kernel::Residency::Cold;
  kernel().names_resident = false;
  world.ring->hold_file_operations = true;
  const Peer a = connect(world, Path::KernelAsync);
  const Peer b = connect(world, Path::UserSpace);
  a.get("/one/file");
  b.get("/two/file");
  for (int i = 0; i < 200; i++) {
    world.turns();
    for (const Peer& peer : {a, b}) {
      peer.socket().cipher_completes_all();
      peer.socket().peer_takes();
    }
    if (world.ring->held() > 0) world.ring->finish(world.ring->held() - 1);  // last in, first out
    world.services->now_ms += 10;
  }
  REQUIRE(a.responses().size() == 1);
  REQUIRE(b.responses().size() == 1);
  CHECK(a.responses()[0].body == one);
  CHECK(b.responses()[0].body == two);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("short reads of a cold file are put together") {
  for (Path path : kPaths) {
    World world;
    const std::string content = world.site.write("file", 100'000);
    kernel().residency = Kernel::Residency::Cold;
    world.ring->hold_file_operations = true;
    const Peer peer = connect(world, path);
    peer.get("/file");
    for (int i = 0; i < 600; i++) {
      world.turns();
      peer.socket().cipher_completes_all();
      peer.socket().peer_takes();
      while (world.ring->held() > 0) world.ring->finish_short(0, 1234);
      world.services->now_ms += 10;
    }
    REQUIRE(peer.responses().size() == 1);
    CHECK(peer.responses()[0].body == content);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("small socket buffers and short writes change nothing but the time") {
  for (Path path : kPaths) {
    for (size_t most : {size_t{1000}, size_t{16384}, size_t{20'000}}) {
      CAPTURE(static_cast<int>(path));
      CAPTURE(most);
      World world;
      const std::string content = world.site.write("file", 120'000);
      const Peer peer = world.connect([&](Socket& socket, TlsScript& script) {
        socket.send_buffer_bytes = 4096;
        socket.take_at_most = most;
        socket.asynchronous_cipher = path == Path::KernelAsync;
        if (path == Path::UserSpace) script.outcome = tls::Promotion::Outcome::UserSpace;
      });
      peer.get("/file", "Connection: close\r\n");
      world.run_to_end(peer, 700);
      REQUIRE(peer.responses().size() == 1);
      CHECK(peer.responses()[0].body == content);
      CHECK(peer.alerts() == std::vector<uint8_t>{0});
      CHECK(world.ending(peer) == conn::Ending::Drained);
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("a send of the ring that was interrupted is made again") {
  World world;
  const std::string content = world.site.write("small", 10'000);
  const Peer peer = world.connect();
  world.turns();
  world.ring->interrupted_sends = 3;
  peer.get("/small");
  world.turns();
  peer.socket().peer_takes();
  REQUIRE(peer.responses().size() == 1);
  CHECK(peer.responses()[0].body == content);
  CHECK(world.ring->interrupted_sends == 0);
  CHECK(world.settle_accounts() == "");
}
