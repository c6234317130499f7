// SPDX-License-Identifier: Apache-2.0
// Several DATA frames whose payload is pages of files leave by one call: their heads and pages are
// put into a pipe, and that is spliced to the socket. What is in the pipe is in hand, whatever
// becomes of the files.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/limits.hpp"
#include "h2/session.hpp"
#include "os/pipe_pool.hpp"
#include "os/stable_bytes.hpp"

namespace spliced::conn {

struct Mux;
struct Services;
struct Stream;

struct Batch {
  struct Frame {
    Stream* stream = nullptr;
    char head[h2::kFrameHeadBytes] = {};
    bool head_piped = false;
    uint64_t offset = 0;
    size_t bytes = 0;  // of the payload, what is not in the pipe
  };
  Frame frames[limits::kFramesPerCall];
  size_t count = 0;      // until the last of them has gone, so that their streams stay
  size_t bytes = 0;      // with their heads
  bool closed = false;   // no more is collected
  size_t left_over = 0;  // which of them is the next that is not in the pipe
  os::Pipe pipe;
  size_t piped = 0;  // bytes
  os::StableBytes heads;

  bool collects() const { return count > 0 && !closed; }
};

// The stream's next piece, pages in the page cache, may go so.
bool may_collect(const Services& s, const Mux& m, const Stream& st);
bool batch_is_full(const Services& s, const Mux& m);
// A frame of it was announced.
void collect(Mux& m, Stream& st, const char* head, size_t bytes);
// What was collected goes into the pipe.
void close_batch(Services& s, Mux& m);
// What the pipe did not take goes as any other frame, one by one, once the pipe is empty.
void send_left_over(Services& s, Mux& m);
// All have gone, or their connection.
void end_batch(Services& s, Mux& m);

}  // namespace spliced::conn
