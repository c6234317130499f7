// SPDX-License-Identifier: Apache-2.0
// See connection_log.hpp.
#include "conn/accounts/connection_log.hpp"

#include <utility>

#include "base/limits.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {

ConnectionLog::Batch ConnectionLog::take() {
  std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(batch_, {});
}

std::unique_ptr<ConnectionRecord> ConnectionLog::begin(int socket, uint64_t now_ms) const {
  if (!on_.load(std::memory_order_relaxed)) return nullptr;
  auto record = std::make_unique<ConnectionRecord>();
  record->peer = os::peer_name(socket);
  record->began_ms = now_ms;
  return record;
}

void ConnectionLog::add(ConnectionRecord&& record) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (batch_.records.size() < limits::kConnectionRecordsMax) {
    batch_.records.push_back(std::move(record));
  } else {
    batch_.lost++;
  }
}

}  // namespace spliced::conn
