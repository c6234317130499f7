// SPDX-License-Identifier: Apache-2.0
// Records for a client whose round trip is long (conn/h2/early_records.hpp): short ones at first,
// so that it need not wait for the end of a full one, and full ones for everybody else.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "fakes/ask.hpp"
#include "fakes/http2.hpp"

using namespace spliced;
using namespace spliced::fakes;

namespace {

constexpr uint32_t kNear = limits::kFarRoundTripUs - 1, kFar = limits::kFarRoundTripUs;
constexpr size_t kFiles = 60;
constexpr size_t kWindow = 1 << 30;

// As in a page: 1 to 8 KiB.
size_t bytes_of(size_t file) {
  return 1024 * (1 + file % 8);
}
std::string name_of(size_t file) {
  return "f" + std::to_string(file);
}

// One client; its windows hold nothing back.
class Asked : public World {
 public:
  Asked(Path path, uint32_t round_trip_us) : peer(-1) {
    for (size_t file = 0; file < kFiles; file++) site.write(name_of(file), bytes_of(file));
    peer = connect([&](Socket& socket, TlsScript& script) {
      script.http2 = true;
      socket.round_trip_us = round_trip_us;
      socket.send_buffer_bytes = 1 << 24;
      socket.asynchronous_cipher = path == Path::KernelAsync;
      if (path == Path::UserSpace) script.outcome = tls::Promotion::Outcome::UserSpace;
    });
    const std::string wide = number(4, 2) + number(kWindow, 4);
    peer.sends(kPreface + frame(4, 0, 0, wide) + frame(8, 0, 0, number(kWindow, 4)));
    pump(peer, 3);
    (void)new_records();
  }

  void ask_for(size_t file) {
    peer.sends(frame(1, 5, next_stream_, request_fields("GET", "/" + name_of(file))));
    next_stream_ += 2;
  }
  void ask_for_page() {
    for (size_t file = 0; file < kFiles; file++) ask_for(file);
  }

  // The payloads of those that have come since the last call.
  std::vector<std::string> new_records() {
    const std::vector<wire::Record> all = peer.arrived().records;
    std::vector<std::string> found;
    for (; seen_ < all.size(); seen_++) found.push_back(all[seen_].payload);
    return found;
  }
  std::vector<std::string> page() {
    ask_for_page();
    pump(peer, 30);
    return new_records();
  }

  Peer peer;

 private:
  uint32_t next_stream_ = 1;
  size_t seen_ = 0;
};

size_t longest(const std::vector<std::string>& records) {
  size_t bytes = 0;
  for (const std::string& record : records) bytes = std::max(bytes, record.size());
  return bytes;
}

// Whole frames, of which the last one alone may begin beyond the bound.
bool is_short(const std::string& record) {
  size_t at = 0, last = 0;
  while (at + 9 <= record.size()) {
    last = at;
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(record[at + i]); };
    at += 9 + (size_t{byte(0)} << 16 | size_t{byte(1)} << 8 | byte(2));
  }
  return at == record.size() && last < limits::kEarlyRecordBytes;
}

bool are_short(const std::vector<std::string>& records) {
  return !records.empty() && std::all_of(records.begin(), records.end(), is_short);
}

}  // namespace

TEST_CASE("HTTP/2: a page's records are short for a client that is far, and full for one near") {
  for (const Path path : kPaths) {
    for (const uint32_t round_trip_us : {0u, kNear, kFar, 20'000u}) {
      CAPTURE(static_cast<int>(path));
      CAPTURE(round_trip_us);
      Asked world(path, round_trip_us);
      const std::vector<std::string> records = world.page();
      std::map<uint32_t, StreamAnswer> answers = stream_answers(world.peer.arrived().plaintext);
      for (uint32_t file = 0; file < kFiles; file++) {
        CHECK(answers[1 + 2 * file].ended);
        CHECK(answers[1 + 2 * file].data == Site::content(name_of(file), bytes_of(file)));
      }
      const bool far = round_trip_us >= kFar;
      CHECK(are_short(records) == far);
      CHECK((longest(records) > 15'000) == !far);
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("HTTP/2: short records do not wait for one another") {
  Asked world(Path::KernelSync, kFar);
  world.ask_for_page();
  world.turn();
  const size_t sent = wire::decode(world.peer.socket().accepted_wire()).records.size();
  CHECK(sent >= 8);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("HTTP/2: after the first of a far connection its records are full, until it pauses") {
  for (const Path path : kPaths) {
    CAPTURE(static_cast<int>(path));
    Asked world(path, kFar);
    size_t sent = 0;
    while (sent < limits::kEarlyBytes) {
      const std::vector<std::string> records = world.page();
      for (const std::string& record : records) {
        if (sent + record.size() < limits::kEarlyBytes) CHECK(is_short(record));
        sent += record.size();
      }
      REQUIRE(!records.empty());
    }
    CHECK(longest(world.page()) > 15'000);
    world.advance(limits::kEarlyAgainMs / 2);
    CHECK(longest(world.page()) > 15'000);
    world.advance(limits::kEarlyAgainMs);
    CHECK(are_short(world.page()));
    CHECK(world.settle_accounts() == "");
  }
}
