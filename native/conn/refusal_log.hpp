// SPDX-License-Identifier: Apache-2.0
// Clients that were refused for their certificate, or for having none, for the log: who, why, and
// as whom they came. Bounded: the engine thread adds (handshake.cpp, routing.cpp), the Node thread
// takes a batch now and then, and what does not fit is counted.
#pragma once
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace spliced::conn {

struct RefusedClient {
  std::string peer;         // os::peer_name
  const char* reason = "";  // tls::kClientRefusalNames, or kNoCertificate
  std::string subject;      // of the certificate that was shown, unverified; may be empty
};
inline constexpr const char* kNoCertificate = "no_certificate";

class RefusalLog {
 public:
  struct Batch {
    std::vector<RefusedClient> refused;
    uint64_t lost = 0;  // beyond limits::kRefusalRecordsMax
  };

  // Engine thread.
  void add(int socket, const char* reason, const std::string& subject);
  // Any thread.
  Batch take();

 private:
  std::mutex mutex_;
  Batch batch_;
};

}  // namespace spliced::conn
