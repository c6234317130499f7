// SPDX-License-Identifier: Apache-2.0
// upload::Ticket, which all engines share: each has the time at which its turn began, so times come
// out of order.
#include <doctest/doctest.h>
#include <fcntl.h>

#include <atomic>
#include <thread>

#include "base/limits.hpp"
#include "upload/ticket.hpp"

using namespace spliced;

TEST_CASE("an engine whose turn began earlier does not take an upload from one that writes") {
  upload::Ticket ticket("id", os::Fd(::open("/dev/null", O_RDWR | O_CLOEXEC)), 100, 0);
  constexpr uint64_t kNow = 1'000'000;
  const uint64_t claim = ticket.claim(kNow);
  REQUIRE(claim != 0);
  REQUIRE(ticket.begin_write(claim, kNow));
  ticket.end_write(claim, 10);
  CHECK(ticket.claim(kNow - 1) == 0);
  CHECK(ticket.claim(kNow + limits::kUploadQuietMs - 1) == 0);
  REQUIRE(ticket.begin_write(claim, kNow + 1));
  ticket.end_write(claim, 10);
  CHECK(ticket.offset() == 20);
  CHECK(ticket.claim(kNow + limits::kUploadQuietMs + 1) != 0);  // it says nothing more
  CHECK_FALSE(ticket.begin_write(claim, kNow));
}

TEST_CASE("the digest follows in large steps while more is to come, and to the end then") {
  using Kind = upload::Ticket::Job::Kind;
  constexpr size_t kRest = 1000;
  constexpr uint64_t kLength = 3 * limits::kUploadHashBytes;
  upload::Ticket ticket("id", os::Fd(::open("/dev/null", O_RDWR | O_CLOEXEC)), kLength, 0);
  const uint64_t claim = ticket.claim(0);
  const auto write = [&](size_t bytes) {
    REQUIRE(ticket.begin_write(claim, 0));
    ticket.end_write(claim, static_cast<int64_t>(bytes));
  };
  const auto is_step = [&](uint64_t offset, size_t bytes) {
    const upload::Ticket::Job job = ticket.next_job();
    if (job.kind != Kind::Hash) return false;
    ticket.hashed(job.bytes);
    return job.offset == offset && job.bytes == bytes;
  };
  REQUIRE(ticket.next_job().kind == Kind::Tell);  // somebody sends
  write(limits::kUploadHashBytes);
  write(kRest);
  CHECK(is_step(0, limits::kUploadHashBytes));
  CHECK(ticket.next_job().kind == Kind::Tell);  // the rest is no step, so it waited for this
  CHECK(ticket.snapshot().hashed == limits::kUploadHashBytes);
  ticket.release(claim);
  CHECK(ticket.next_job().kind == Kind::Tell);
  CHECK(ticket.next_job().kind == Kind::Sync);
  ticket.synced(ticket.offset());
  CHECK(ticket.next_job().kind == Kind::Tell);
  CHECK(is_step(limits::kUploadHashBytes, kRest));
}

TEST_CASE("a keeper that waits without a limit hears of the first bytes") {
  using Kind = upload::Ticket::Job::Kind;
  upload::Ticket ticket("id", os::Fd(::open("/dev/null", O_RDWR | O_CLOEXEC)), 100, 0);
  const uint64_t claim = ticket.claim(0);
  std::atomic<int> told{0};
  std::thread keeper([&] {
    while (told < 2)
      if (ticket.next_job().kind == Kind::Tell) told++;
  });
  while (told < 1) std::this_thread::yield();
  REQUIRE(ticket.begin_write(claim, 0));
  ticket.end_write(claim, 10);
  keeper.join();
  CHECK(told == 2);
}
