// SPDX-License-Identifier: Apache-2.0
// The readers of the truncation experiment (`spliced doctor --reproduce`): slow clients with small
// buffers, as behind a weak Wi-Fi, that count what reaches them. Called by seam/experiment.cpp on a
// thread of Node's pool. Connects to 127.0.0.1 alone.
#pragma once
#include <cstdint>

namespace spliced::experiment {

struct Plan {
  uint16_t port = 0;
  uint32_t downloads = 0;
  uint32_t parallel = 0;
  uint64_t body_bytes = 0;            // of the response to GET /body
  uint32_t receive_buffer_bytes = 0;  // SO_RCVBUF
  uint32_t bytes_per_s = 0;           // each client's pace
  uint32_t timeout_ms = 0;            // for all downloads together
};

// How the downloads ended; the first four add up to `Plan::downloads`.
struct Tally {
  uint32_t complete = 0;
  uint32_t truncated = 0;   // the connection ended before the last byte
  uint32_t failed = 0;      // no connection, no TLS, or a record that does not decrypt
  uint32_t unfinished = 0;  // the time was over
  uint64_t missing_bytes = 0;
  uint64_t missing_bytes_max = 0;  // of one download
  uint64_t duration_ms = 0;
};

Tally download_slowly(const Plan& plan);

}  // namespace spliced::experiment
