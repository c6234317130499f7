// SPDX-License-Identifier: Apache-2.0
// See refusal_log.hpp.
#include "conn/accounts/refusal_log.hpp"

#include <utility>

#include "base/limits.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {

void RefusalLog::add(int socket, const char* reason, const std::string& subject) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (batch_.refused.size() >= limits::kRefusalRecordsMax) {
      batch_.lost++;  // without a system call, because a flood ends here
      return;
    }
  }
  RefusedClient refused{os::peer_name(socket), reason, subject};
  std::lock_guard<std::mutex> lock(mutex_);
  batch_.refused.push_back(std::move(refused));
}

RefusalLog::Batch RefusalLog::take() {
  std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(batch_, {});
}

}  // namespace spliced::conn
