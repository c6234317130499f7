// SPDX-License-Identifier: Apache-2.0
// Frames of files that leave several by one call (conn/h2/batch.hpp): each stream's bytes are whole
// and in their order, whatever the pipe, the socket or the file system takes of them, and a file
// that changed meanwhile never looks complete.
#include <errno.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "fakes/http2.hpp"
#include "fakes/world.hpp"
#include "h2/session.hpp"

using namespace spliced;
using namespace spliced::fakes;

namespace {

constexpr size_t kBytes = 400'000;
constexpr size_t kFrame = 16'384;

conn::Options with_window(uint64_t bytes) {
  conn::Options options = World::small_options();
  options.pending_window_bytes = bytes;
  return options;
}

// A client whose windows hold nothing back, and what it has asked for.
class Asked : public World {
 public:
  Asked(const std::vector<std::string>& paths, uint64_t window, bool asynchronous = false)
      : World(with_window(window)), peer(-1) {
    for (const std::string& path : paths) site.write(path, kBytes);
    peer = connect([&](Socket& socket, TlsScript& script) {
      script.http2 = true;
      socket.asynchronous_cipher = asynchronous;
      socket.send_buffer_bytes = 300'000;
    });
    const std::string wide = number(4, 2) + number(1 << 24, 4);
    peer.sends(kPreface + frame(4, 0, 0, wide) + frame(8, 0, 0, number(1 << 24, 4)));
    turns();
    uint32_t stream = 1;
    for (const std::string& path : paths) {
      peer.sends(frame(1, 5, stream, request_fields("GET", "/" + path)));
      stream += 2;
    }
  }
  std::map<uint32_t, StreamAnswer> answers() const {
    return stream_answers(peer.arrived().plaintext);
  }

  Peer peer;
};

void check_whole(const Asked& world, uint32_t stream, const std::string& path) {
  const StreamAnswer answer = world.answers()[stream];
  CHECK(answer.ended);
  CHECK_FALSE(answer.reset);
  CHECK(answer.data == Site::content(path, kBytes));
}

}  // namespace

TEST_CASE("HTTP/2: frames of pages leave several by one call, in full records") {
  for (const bool asynchronous : {false, true}) {
    CAPTURE(asynchronous);
    Asked world({"a"}, 256 * 1024, asynchronous);
    world.pump(world.peer, 200);
    check_whole(world, 1, "a");
    CHECK(kernel().frame_calls > 0);
    CHECK(kernel().frame_calls <= 1 + kBytes / kFrame / limits::kFramesPerCall);
    // The settings and the head have some of their own.
    CHECK(world.peer.socket().records_sent() <= kBytes / kFrame + 6);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("HTTP/2: the window holds what one call gives to the TLS layer") {
  for (const uint64_t window : {64 * 1024, 128 * 1024, 256 * 1024, 1024 * 1024}) {
    CAPTURE(window);
    Asked world({"a"}, window, /*asynchronous=*/true);
    for (int i = 0; i < 400; i++) {
      world.turns();
      world.peer.socket().peer_takes();
      CHECK(world.peer.socket().pending_in_tls() <= window + 64 * 29);
      if (i % 3 == 0) world.peer.socket().cipher_completes_all();
      world.services->now_ms += limits::kTickMs;
    }
    check_whole(world, 1, "a");
    CHECK(kernel().frame_calls > 0);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("HTTP/2: where no send of files waits for the cipher, a frame from memory does") {
  for (const bool is_known : {false, true})
    for (const bool waits : {false, true}) {
      CAPTURE(is_known);
      CAPTURE(waits);
      Asked world({"a"}, 64 * 1024);  // three frames a call
      world.support.sendfile_waits = waits;
      if (is_known) world.services->asynchronous.set();
      world.pump(world.peer, 200);
      check_whole(world, 1, "a");
      const uint64_t from_memory =
          world.figures.plaintext_sent_bytes.get() - world.figures.spliced_bytes.get();
      const uint64_t frames = from_memory / kFrame;
      // The last one, which is shorter, always; and else one behind each call.
      if (is_known && !waits)
        CHECK(frames >= kBytes / kFrame / 5);
      else
        CHECK(frames == 0);
      CHECK(world.settle_accounts() == "");
    }
}

TEST_CASE("HTTP/2: heads of thousands of frames are each what they were") {
  Asked world({"a"}, 256 * 1024);
  constexpr size_t kDownloads = 25;  // of 24 frames each; a page has 455 heads
  for (uint32_t i = 1; i < kDownloads; i++)
    world.peer.sends(frame(1, 5, 1 + 2 * i, request_fields("GET", "/a")));
  world.peer.sends(frame(8, 0, 0, number(1 << 30, 4)));
  world.pump(world.peer, 600);
  std::map<uint32_t, StreamAnswer> came = world.answers();
  for (uint32_t i = 0; i < kDownloads; i++) {
    CHECK(came[1 + 2 * i].ended);
    CHECK(came[1 + 2 * i].data == Site::content("a", kBytes));
  }
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("HTTP/2: what the pipe does not take of some frames goes as any other") {
  const size_t heads = h2::kFrameHeadBytes;
  for (const size_t most : {size_t{0}, heads, heads + 1, kFrame - 1, kFrame, kFrame + heads,
                            kFrame + heads + 4096, 2 * kFrame + heads + 77}) {
    CAPTURE(most);
    Asked world({"a", "b"}, 256 * 1024);
    kernel().pipes_take_at_most = most;
    world.pump(world.peer, 200);
    check_whole(world, 1, "a");
    check_whole(world, 3, "b");
    CHECK(kernel().frame_calls > 0);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("HTTP/2: a file that cannot be mapped is tried once") {
  for (const int error : {ENODEV, EACCES, EPERM, ENOSYS}) {
    CAPTURE(error);
    Asked world({"a"}, 256 * 1024);
    kernel().maps_fail_with = error;
    world.pump(world.peer, 200);
    check_whole(world, 1, "a");
    CHECK(kernel().frame_calls == 1);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("HTTP/2: a socket that takes a part of some frames gets the rest") {
  for (const size_t most : {9001, 16'383, 50'001}) {
    CAPTURE(most);
    Asked world({"a", "b"}, 256 * 1024);
    world.peer.socket().take_at_most = most;
    world.pump(world.peer, 200);
    check_whole(world, 1, "a");
    check_whole(world, 3, "b");
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("HTTP/2: streams of one urgency get their frames in turn, several by one call") {
  Asked world({"a", "b", "c"}, 256 * 1024);
  for (int i = 0; i < 200; i++) {
    world.pump(world.peer, 1);
    size_t least = kBytes, most = 0;
    const std::map<uint32_t, StreamAnswer> came = world.answers();
    for (const uint32_t stream : {1, 3, 5}) {
      const auto found = came.find(stream);
      const size_t bytes = found == came.end() ? 0 : found->second.data.size();
      least = std::min(least, bytes);
      most = std::max(most, bytes);
    }
    CHECK(most - least <= 2 * limits::kRecordPlaintextBytes);
  }
  check_whole(world, 1, "a");
  check_whole(world, 3, "b");
  check_whole(world, 5, "c");
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("HTTP/2: a file that is cut, or rewritten, never looks complete") {
  for (const bool in_memory : {false, true}) {
    for (const size_t bytes : {0, 100'000, 170'001, 399'999}) {
      for (const size_t before : {40'000, 90'000, 150'000}) {
        CAPTURE(in_memory);
        CAPTURE(bytes);
        CAPTURE(before);
        Asked world({"a", "b"}, 64 * 1024);
        kernel().residency = in_memory ? Kernel::Residency::InMemory : Kernel::Residency::Resident;
        world.peer.socket().send_buffer_bytes = 20'000;
        while (world.peer.socket().accepted_wire().size() < before) world.pump(world.peer, 1);
        world.site.truncate("a", bytes);
        world.peer.socket().send_buffer_bytes = 300'000;
        world.pump(world.peer, 300);
        const StreamAnswer cut = world.answers()[1];
        CHECK(cut.reset);
        CHECK_FALSE(cut.ended);
        check_whole(world, 3, "b");
        CHECK(world.settle_accounts() == "");
      }
    }
  }
}
