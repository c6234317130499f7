// SPDX-License-Identifier: Apache-2.0
// upload::Ticket, which all engines share: each has the time at which its turn began, so times come
// out of order.
#include <doctest/doctest.h>
#include <fcntl.h>

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
