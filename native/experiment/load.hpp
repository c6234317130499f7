// SPDX-License-Identifier: Apache-2.0
// The clients of `spliced doctor --benchmark`: keep-alive connections over loopback that request
// the same file again and again, as fast as it comes. Called by seam/experiment.cpp on a thread of
// Node's pool. Connects to 127.0.0.1 alone.
#pragma once
#include <cstdint>
#include <string>

namespace spliced::experiment {

struct LoadPlan {
  uint16_t port = 0;
  std::string path;         // "/large"
  uint64_t body_bytes = 0;  // of that file
  uint32_t connections = 0;
  uint32_t duration_ms = 0;  // of the measurement, after handshakes and a first response
};

// What happened between the first response of the last connection and the end. The processor times
// are the server's share: `process_us` and `system_us` exclude this thread.
struct LoadFigures {
  uint64_t responses = 0;
  uint64_t body_bytes = 0;
  uint64_t duration_ms = 0;
  uint64_t client_us = 0;
  uint64_t process_us = 0;
  uint64_t system_us = 0;  // in steps of 10 ms; includes everything else that ran on this machine
};

// False, with the reason: a connection failed, ended, or received something else than the file.
bool measure_load(const LoadPlan& plan, LoadFigures& figures, std::string& error);

}  // namespace spliced::experiment
