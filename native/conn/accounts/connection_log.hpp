// SPDX-License-Identifier: Apache-2.0
// Records for the log, one for each connection at its end, at level debug. Off unless the daemon
// enables it. Bounded: the engine's thread adds (join.cpp), the Node thread takes batches, and
// records that do not fit are counted.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace spliced::conn {

struct ConnectionRecord {
  std::string peer;  // os::peer_name
  uint64_t began_ms = 0, duration_ms = 0;
  uint64_t bytes = 0;  // plaintext sent
  uint32_t requests = 0;
  bool offloaded = false;
  const char* ending = "";   // kEndingNames
  const char* failure = "";  // of the handshake, tls::kHandshakeFailureNames
};

class ConnectionLog {
 public:
  struct Batch {
    std::vector<ConnectionRecord> records;
    uint64_t lost = 0;  // records beyond limits::kConnectionRecordsMax
  };

  // For any thread. Connections accepted before are not logged.
  void enable(bool on) { on_.store(on, std::memory_order_relaxed); }
  Batch take();

  // For the engine's thread. Null while the log is off.
  std::unique_ptr<ConnectionRecord> begin(int socket, uint64_t now_ms) const;
  void add(ConnectionRecord&& record);

 private:
  std::atomic<bool> on_{false};
  std::mutex mutex_;
  Batch batch_;
};

}  // namespace spliced::conn
