// SPDX-License-Identifier: Apache-2.0
// tls::TicketKeys, which all engines share: each has read its clock a moment before it gets the
// lock, so times come out of order.
#include "tls/ticket_keys.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "base/limits.hpp"

using spliced::tls::TicketKeys;
namespace limits = spliced::limits;

namespace {

constexpr uint64_t kBegan = 1'000'000;

bool same(const TicketKeys::Key& a, const TicketKeys::Key& b) {
  return a.valid && b.valid && a.has_name(b.name);
}

}  // namespace

TEST_CASE("a key serves its period, and decrypts for one more") {
  TicketKeys keys(kBegan);
  const auto first = keys.encrypting(kBegan + limits::kTicketKeyPeriodMs - 1);
  const auto second = keys.encrypting(kBegan + limits::kTicketKeyPeriodMs);
  CHECK(first.valid);
  CHECK_FALSE(same(first, second));
  CHECK(same(keys.find(first.name, kBegan + 2 * limits::kTicketKeyPeriodMs - 1), first));
  CHECK_FALSE(keys.find(first.name, kBegan + 2 * limits::kTicketKeyPeriodMs).valid);
}

TEST_CASE(
    "who asks with an earlier time than the one that rotated, changes nothing and finds all") {
  TicketKeys keys(kBegan);
  const auto first = keys.encrypting(kBegan);
  const uint64_t rotated_ms = kBegan + limits::kTicketKeyPeriodMs;
  const auto second = keys.encrypting(rotated_ms);
  CHECK(same(keys.encrypting(rotated_ms - 1), second));
  CHECK(same(keys.find(second.name, rotated_ms - 1), second));
  CHECK(same(keys.find(first.name, rotated_ms - 1), first));
}

TEST_CASE("several engines: of each key that anybody encrypts with, all can decrypt") {
  TicketKeys keys(kBegan);
  // Its period ends once: a thread that does not run for a while is not two keys behind.
  std::atomic<uint64_t> clock{kBegan + limits::kTicketKeyPeriodMs / 2};
  std::atomic<int> lost{0};
  const auto serve = [&] {
    for (int i = 0; i < 2'000; i++) {
      const uint64_t now_ms = clock.fetch_add(limits::kTicketKeyPeriodMs / 8'000);
      const auto key = keys.encrypting(now_ms);
      if (!same(keys.find(key.name, now_ms), key)) lost++;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++) threads.emplace_back(serve);
  for (std::thread& thread : threads) thread.join();
  CHECK(lost == 0);
}
