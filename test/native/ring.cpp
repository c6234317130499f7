// SPDX-License-Identifier: Apache-2.0
// ring/: both real backends, against real sockets, pipes and files. Where the host refuses
// io_uring, its half says so and why. Built with ThreadSanitizer too (`make check-threads`).
#include "ring/ring.hpp"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "doctest/doctest.h"
#include "fakes/each_backend.hpp"
#include "fakes/site.hpp"
#include "os/closer.hpp"
#include "os/fd.hpp"
#include "ring/backends.hpp"

using namespace spliced;
using namespace spliced::ring;
using namespace spliced::fakes;
using os::Fd;

TEST_CASE("token: packs and unpacks") {
  for (const Token token : {Token{Kind::Watch, 0, 0}, Token{Kind::FillPipe, 0xffffff, 0xffffffff},
                            Token{Kind::Accept, 7, 1}}) {
    const Token again = Token::unpack(token.pack());
    CHECK(again.kind == token.kind);
    CHECK(again.slot == token.slot);
    CHECK(again.generation == token.generation);
  }
}

TEST_CASE("ring: a wait without events ends in time") {
  each_backend([](Ring& ring) {
    Completion out;
    const auto before = std::chrono::steady_clock::now();
    while (ring.wait(50, &out, 1) != 0) continue;
    CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(2));
  });
}

TEST_CASE("ring: a watch tells what is ready once, then every change") {
  each_backend([](Ring& ring) {
    const Pair sockets = pair();
    const Token token{Kind::Watch, 3, 9};
    ring.watch(sockets.ours.get(), token);
    Completion got = next(ring);
    CHECK(is(got, token));
    CHECK((got.result & POLLOUT) != 0);
    CHECK((got.result & POLLIN) == 0);
    CHECK(got.more);
    quiet(ring);  // edge-triggered: still writable is no news
    REQUIRE(::write(sockets.theirs.get(), "a", 1) == 1);
    got = next(ring);
    CHECK((got.result & POLLIN) != 0);
    quiet(ring);  // not read, and still no news
    REQUIRE(::write(sockets.theirs.get(), "b", 1) == 1);
    CHECK((next(ring).result & POLLIN) != 0);
    REQUIRE(::shutdown(sockets.theirs.get(), SHUT_WR) == 0);
    CHECK((next(ring).result & POLLRDHUP) != 0);
    ring.cancel(sockets.ours.get(), token);
    collect(ring, [](const auto& seen) { return !seen.empty() && !seen.back().more; });
  });
}

TEST_CASE("ring: a poll gives what is ready, in one call") {
  each_backend([](Ring& ring) {
    const Pair sockets = pair();
    const Token token{Kind::Watch, 5, 2};
    ring.watch(sockets.ours.get(), token);
    next(ring);
    Completion out[8];
    CHECK(ring.wait(0, out, 8) == 0);
    REQUIRE(::write(sockets.theirs.get(), "a", 1) == 1);
    REQUIRE(ring.wait(0, out, 8) == 1);
    CHECK(is(out[0], token));
    CHECK((out[0].result & POLLIN) != 0);
    ring.cancel(sockets.ours.get(), token);
    collect(ring, [](const auto& seen) { return !seen.empty() && !seen.back().more; });
  });
}

TEST_CASE("ring: room in a full socket is an event") {
  each_backend([](Ring& ring) {
    const Pair sockets = pair();
    const Token token{Kind::Watch, 0, 1};
    const std::string block(65536, 'x');
    while (::write(sockets.ours.get(), block.data(), block.size()) > 0) continue;
    ring.watch(sockets.ours.get(), token);
    quiet(ring);
    std::string sink(1 << 20, 0);
    while (::read(sockets.theirs.get(), sink.data(), sink.size()) > 0) continue;
    CHECK((next(ring).result & POLLOUT) != 0);
    ring.cancel(sockets.ours.get(), token);
    collect(ring, [](const auto& seen) { return !seen.empty() && !seen.back().more; });
  });
}

TEST_CASE("ring: a cancelled watch ends exactly once, and nothing follows") {
  each_backend([](Ring& ring) {
    for (bool events_waiting : {false, true}) {
      const Pair sockets = pair();
      const Token token{Kind::Watch, 5, 77};
      ring.watch(sockets.ours.get(), token);
      next(ring);
      if (events_waiting) {
        REQUIRE(::write(sockets.theirs.get(), "a", 1) == 1);
        REQUIRE(::shutdown(sockets.theirs.get(), SHUT_RDWR) == 0);
      }
      ring.cancel(sockets.ours.get(), token);
      const auto ended = [](const auto& seen) { return !seen.empty() && !seen.back().more; };
      const std::vector<Completion> all = collect(ring, ended);
      size_t ends = 0;
      for (const Completion& completion : all) {
        CHECK(is(completion, token));
        ends += completion.more ? 0 : 1;
      }
      CHECK(ends == 1);
      quiet(ring);
    }
  });
}

TEST_CASE("ring: more completions than the caller has room for come later") {
  each_backend([](Ring& ring) {
    std::vector<Pair> all;
    for (uint32_t i = 0; i < 20; i++) {
      all.push_back(pair());
      ring.watch(all.back().ours.get(), {Kind::Watch, i, 0});
    }
    std::vector<bool> seen(20);
    size_t count = 0;
    for (int i = 0; i < 200 && count < 20; i++) {
      Completion out[3];
      const size_t got = ring.wait(100, out, 3);
      REQUIRE(got <= 3);
      for (size_t k = 0; k < got; k++) {
        CHECK_FALSE(seen[out[k].token.slot]);
        seen[out[k].token.slot] = true;
        count++;
      }
    }
    CHECK(count == 20);
  });
}

struct Listening {
  Fd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  sockaddr_in address{};
  socklen_t length = sizeof address;

  Listening() {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0);
    REQUIRE(::listen(fd.get(), 16) == 0);
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length);
  }

  Fd connect() const {
    Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0);
    return client;
  }
};

TEST_CASE("ring: accepts until cancelled, with the flags that the sockets must have") {
  each_backend([](Ring& ring) {
    const Listening listening;
    const Fd& listener = listening.fd;
    const Token token{Kind::Accept, 1, 0};
    ring.accept(listener.get(), token);
    std::vector<Fd> clients;
    for (int i = 0; i < 5; i++) clients.push_back(listening.connect());
    size_t accepted = 0;
    while (accepted < 5) {
      for (const Completion& got : collect(ring, [](const auto& seen) { return !seen.empty(); })) {
        REQUIRE(is(got, token));
        if (got.result >= 0) {
          const Fd socket(got.result);
          accepted++;
          CHECK((::fcntl(socket.get(), F_GETFL) & O_NONBLOCK) != 0);
          CHECK((::fcntl(socket.get(), F_GETFD) & FD_CLOEXEC) != 0);
        }
        CHECK(got.more);
      }
    }
    ring.cancel(listener.get(), token);
    const Completion last = next(ring);
    CHECK(is(last, token));
    CHECK_FALSE(last.more);
    CHECK(last.result == -ECANCELED);
    clients.push_back(listening.connect());
    quiet(ring);
  });
}

// An engine whose thread hangs in the kernel keeps its ring armed; so does a process that cannot
// die.
TEST_CASE("ring: one that is not waited on takes no connection from another on the same socket") {
  each_backend([](Ring& ring) {
    const Listening listening;
    const Token token{Kind::Accept, 1, 0};
    const ring::Opened hanging = ring::open_ring(ring::Backend::Auto);
    hanging.ring->accept(listening.fd.get(), token);
    Completion none[1];
    CHECK(hanging.ring->wait(0, none, 1) == 0);  // armed, and first
    ring.accept(listening.fd.get(), token);
    CHECK(ring.wait(0, none, 1) == 0);
    for (int i = 0; i < 3; i++) {
      const Fd client = listening.connect();
      const Completion got = next(ring);
      REQUIRE(is(got, token));
      REQUIRE(got.result >= 0);
      const Fd socket(got.result);
    }
  });
}

TEST_CASE("ring: opens beneath a root, and refuses the rest") {
  each_backend([](Ring& ring) {
    fakes::Site site;
    const std::string content = site.write("dir/file", 100);
    REQUIRE(::symlink("/etc/passwd", site.path("link").c_str()) == 0);
    const Token token{Kind::OpenFile, 2, 4};
    ring.open_file(site.root(), "dir/file", token);
    Completion got = next(ring);
    CHECK(is(got, token));
    CHECK_FALSE(got.more);
    REQUIRE(got.result >= 0);
    {
      const Fd file(got.result);
      std::string read(200, 0);
      const ssize_t bytes = ::read(file.get(), read.data(), read.size());
      CHECK(read.substr(0, static_cast<size_t>(bytes)) == content);
      CHECK((::fcntl(file.get(), F_GETFD) & FD_CLOEXEC) != 0);
    }
    for (const char* path : {"none", "../etc/passwd", "/etc/passwd", "link"}) {
      CAPTURE(path);
      ring.open_file(site.root(), path, token);
      CHECK(next(ring).result < 0);
    }
  });
}

TEST_CASE("ring: fills a pipe from where it was told, and says where the file ends") {
  each_backend([](Ring& ring) {
    fakes::Site site;
    const std::string content = site.write("file", 100'000);
    const Fd file(::open(site.path("file").c_str(), O_RDONLY | O_CLOEXEC));
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    const Fd out(ends[0]), in(ends[1]);
    const Token token{Kind::FillPipe, 2, 4};
    ring.fill_pipe(file.get(), 30'001, in.get(), 40'000, token);
    const Completion got = next(ring);
    CHECK(is(got, token));
    CHECK_FALSE(got.more);
    REQUIRE(got.result > 0);
    std::string read(100'000, 0);
    CHECK(::read(out.get(), read.data(), read.size()) == got.result);
    CHECK(read.substr(0, static_cast<size_t>(got.result)) ==
          content.substr(30'001, static_cast<size_t>(got.result)));
    ring.fill_pipe(file.get(), 100'000, in.get(), 40'000, token);
    CHECK(next(ring).result == 0);
  });
}

TEST_CASE("ring: another thread wakes it, also when it wakes before the wait") {
  each_backend([](Ring& ring) {
    Completion out[4];
    for (bool before : {false, true}) {
      const auto began = std::chrono::steady_clock::now();
      std::thread other([&] {
        if (!before) std::this_thread::sleep_for(std::chrono::milliseconds(50));
        for (int i = 0; i < 100; i++) ring.wake();
      });
      if (before) other.join();
      CHECK(ring.wait(kWaitMs, out, 4) == 0);
      CHECK(std::chrono::steady_clock::now() - began < std::chrono::milliseconds(kWaitMs - 500));
      if (!before) other.join();
    }
    const Pair sockets = pair();  // and a wake hides nothing
    ring.watch(sockets.ours.get(), {Kind::Watch, 1, 1});
    ring.wake();
    next(ring);
  });
}

TEST_CASE("ring: can be given up with work under way") {
  fakes::Site site;
  site.write("file", 1000);
  const Pair sockets = pair();
  each_backend([&](Ring& ring) {
    ring.watch(sockets.ours.get(), {Kind::Watch, 1, 1});
    for (uint32_t i = 0; i < 50; i++) ring.open_file(site.root(), "none", {Kind::OpenFile, i, 1});
  });
}

TEST_CASE("open_ring: says which backend it is, and why") {
  const Opened epoll = open_ring(Backend::Epoll);
  CHECK(std::string(epoll.backend) == "epoll");
  CHECK(epoll.detail == "io_uring is switched off by configuration");
  const Opened automatic = open_ring(Backend::Auto);
  REQUIRE(automatic.ring);
  CHECK_FALSE(automatic.detail.empty());
  MESSAGE("open_ring(Auto): " << std::string(automatic.backend) << ", " << automatic.detail);
}

// test/guest/standin.test.ts has threads that really hang in the kernel.
TEST_CASE(
    "thread: one that does not end is waited for no longer than told, and its state is known") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const Fd out(ends[0]);
  Fd in(ends[1]);
  os::Thread thread;
  CHECK(thread.state() == 0);
  CHECK(thread.join_within(0));  // never started
  REQUIRE(thread.start("spliced-test", [&] {
    char byte;
    [[maybe_unused]] const ssize_t ignored = ::read(out.get(), &byte, 1);
  }));
  while (thread.state() != 'S') std::this_thread::yield();
  CHECK_FALSE(thread.join_within(1));
  in.reset();  // now it may end
  CHECK(thread.join_within(kWaitMs));
  CHECK(thread.join_within(0));
  CHECK(thread.state() == 0);
}

TEST_CASE("closer: closes everything that it was given, and counts what it has not yet closed") {
  std::vector<Fd> theirs;
  {
    os::Closer closer;
    REQUIRE(closer.start());
    for (int i = 0; i < 100; i++) {
      Pair sockets = pair();
      closer.close(sockets.ours.release());
      theirs.push_back(std::move(sockets.theirs));
    }
    CHECK(closer.stop(kWaitMs));
    CHECK(closer.backlog() == 0);
  }
  for (const Fd& end : theirs) {
    char byte;
    CHECK(::read(end.get(), &byte, 1) == 0);  // EOF: the other end is closed
  }
}
