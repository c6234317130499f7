// SPDX-License-Identifier: Apache-2.0
// For the tests of ring/: runs a check on both real backends, and has helpers for such checks.
#pragma once
#include <sys/socket.h>

#include <chrono>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "os/fd.hpp"
#include "ring/backends.hpp"
#include "ring/ring.hpp"

namespace spliced::fakes {

using ring::Completion;
using ring::Ring;
using ring::Token;

inline constexpr int kWaitMs = 5000;  // far more than anything here takes

// Runs the check on both backends, or prints that one is not available.
inline void each_backend(const std::function<void(Ring&)>& check) {
  for (const char* name : {"io_uring", "epoll"}) {
    CAPTURE(name);
    std::string detail;
    const std::unique_ptr<Ring> backend =
        name[0] == 'i' ? ring::open_uring(detail) : ring::open_epoll(detail);
    if (!backend) {
      REQUIRE(name[0] == 'i');  // epoll is available everywhere
      MESSAGE("SKIPPED on io_uring: " << detail);
      continue;
    }
    check(*backend);
  }
}

// Waits for completions until `enough` is true. The test fails if none comes.
inline std::vector<Completion> collect(
    Ring& ring, const std::function<bool(const std::vector<Completion>&)>& enough) {
  std::vector<Completion> all;
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(kWaitMs);
  while (!enough(all) && std::chrono::steady_clock::now() < until) {
    Completion out[8];
    const size_t count = ring.wait(100, out, 8);
    all.insert(all.end(), out, out + count);
  }
  CHECK(enough(all));
  return all;
}

inline Completion next(Ring& ring) {
  const auto all = collect(ring, [](const auto& seen) { return !seen.empty(); });
  REQUIRE(all.size() == 1);
  return all[0];
}

// Asserts that no completion comes for a while.
inline void quiet(Ring& ring) {
  Completion out[8];
  for (int i = 0; i < 3; i++) CHECK(ring.wait(20, out, 8) == 0);
}

struct Pair {
  os::Fd ours, theirs;
};

inline Pair pair() {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
  return {os::Fd(ends[0]), os::Fd(ends[1])};
}

inline bool is(const Completion& completion, Token token) {
  return completion.token.pack() == token.pack();
}

}  // namespace spliced::fakes
