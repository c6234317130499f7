// SPDX-License-Identifier: Apache-2.0
// Scenarios: a file that changes while it is sent. What was promised is sent, as long as it is
// there; see conn/file/witness.hpp for how that is known.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fstream>
#include <ostream>
#include <string>

#include "doctest/doctest.h"
#include "fakes/world.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::Ending;

namespace {

struct Change {
  const char* name;
  void (*apply)(const std::string& path);
  bool keeps_content;
};

void at_file(const std::string& path, void (*apply)(int fd)) {
  const os::Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  apply(file.get());
}

// The first nine leave what was promised alone, whatever they do to the file's identity.
const Change kChanges[] = {
    {"append", [](const std::string& path) { std::ofstream(path, std::ios::app) << "more"; }, true},
    {"touch",
     [](const std::string& path) { CHECK(::utimensat(AT_FDCWD, path.c_str(), nullptr, 0) == 0); },
     true},
    {"chmod", [](const std::string& path) { CHECK(::chmod(path.c_str(), 0600) == 0); }, true},
    {"link",
     [](const std::string& path) { CHECK(::link(path.c_str(), (path + ".link").c_str()) == 0); },
     true},
    {"unlink", [](const std::string& path) { CHECK(::unlink(path.c_str()) == 0); }, true},
    {"rename",
     [](const std::string& path) { CHECK(::rename(path.c_str(), (path + ".1").c_str()) == 0); },
     true},
    {"attribute",
     [](const std::string& path) { CHECK(::setxattr(path.c_str(), "user.note", "x", 1, 0) == 0); },
     true},
    {"preallocate",
     [](const std::string& path) {
       at_file(path, [](int fd) {
         CHECK(::fallocate(fd, FALLOC_FL_KEEP_SIZE, 300'000, 1'000'000) == 0);
       });
     },
     true},
    {"preallocate and grow",
     [](const std::string& path) {
       at_file(path, [](int fd) { CHECK(::fallocate(fd, 0, 300'000, 1'000'000) == 0); });
     },
     true},
    {"rewrite",
     [](const std::string& path) {
       at_file(path, [](int fd) {
         const std::string other(300'000, 'x');
         CHECK(::pwrite(fd, other.data(), other.size(), 0) == 300'000);
       });
     },
     false},
    {"cut and grow again",
     [](const std::string& path) {
       at_file(path, [](int fd) {
         CHECK(::ftruncate(fd, 0) == 0);
         CHECK(::ftruncate(fd, 400'000) == 0);
       });
     },
     false},
    {"copy another over it",
     [](const std::string& path) {
       std::ofstream(path, std::ios::trunc) << std::string(500'000, 'y');
     },
     false},
};

}  // namespace

TEST_CASE("what happens to a file while it is sent ends a response only if the bytes are others") {
  const fakes::Kernel::Residency residencies[] = {
      Kernel::Residency::Resident, Kernel::Residency::Cold, Kernel::Residency::Unknown,
      Kernel::Residency::InMemory};
  for (const Change& change : kChanges) {
    for (const auto residency : residencies) {
      // The response pauses with a full pipe, in its middle, behind its last record, and waiting
      // for the next.
      for (int pause = 0; pause < 10; pause++) {
        const bool user_space = pause % 2 == 1;
        const size_t send_buffer_bytes = 10'000 + 16'384 * static_cast<size_t>(pause / 2);
        CAPTURE(change.name);
        CAPTURE(static_cast<int>(residency));
        CAPTURE(user_space);
        CAPTURE(send_buffer_bytes);
        World world;
        const std::string content = world.site.write("file", 300'000);
        kernel().residency = residency;
        const Peer peer = world.connect([&](Socket& socket, TlsScript& script) {
          socket.send_buffer_bytes = send_buffer_bytes;
          if (user_space) script.outcome = tls::Promotion::Outcome::UserSpace;
        });
        peer.get("/file");
        world.turns();
        change.apply(world.site.path("file"));
        world.run_to_end(peer, 5000);
        REQUIRE(peer.responses().size() == 1);
        CHECK(peer.responses()[0].content_length == 300'000);
        CHECK(peer.responses()[0].whole == change.keeps_content);
        if (change.keeps_content) CHECK(peer.responses()[0].body == content);
        if (!change.keeps_content) {
          CHECK(world.ending(peer) == Ending::Aborted);
          CHECK(peer.alerts().empty());
        }
        CHECK(world.settle_accounts() == "");
      }
    }
  }
}

TEST_CASE("a range that was promised is sent, whatever becomes of the rest of the file") {
  World world;
  const std::string content = world.site.write("file", 300'000);
  const Peer peer =
      world.connect([](Socket& socket, TlsScript&) { socket.send_buffer_bytes = 10'000; });
  peer.get("/file", "Range: bytes=50000-199999\r\n");
  world.turns();
  world.site.truncate("file", 200'000);
  world.run_to_end(peer, 5000);
  REQUIRE(peer.responses().size() == 1);
  CHECK(peer.responses()[0].whole);
  CHECK(peer.responses()[0].body == content.substr(50'000, 150'000));
  CHECK(world.settle_accounts() == "");
}
