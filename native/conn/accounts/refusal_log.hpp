// SPDX-License-Identifier: Apache-2.0
// Clients that were refused for their certificate, or for having none: address, reason and claimed
// subject. For the log. Bounded: the engine's thread adds (handshake.cpp, routing.cpp), the Node
// thread takes batches, and refusals that do not fit are counted.
#pragma once
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace spliced::conn {

struct RefusedClient {
  std::string peer;         // os::peer_name
  const char* reason = "";  // tls::kClientRefusalNames, or kNoCertificate
  std::string subject;      // of the certificate that was sent, unverified; may be empty
};
inline constexpr const char* kNoCertificate = "no_certificate";

class RefusalLog {
 public:
  struct Batch {
    std::vector<RefusedClient> refused;
    uint64_t lost = 0;  // refusals beyond limits::kRefusalRecordsMax
  };

  // For the engine's thread.
  void add(int socket, const char* reason, const std::string& subject);
  // For any thread.
  Batch take();

 private:
  std::mutex mutex_;
  Batch batch_;
};

}  // namespace spliced::conn
