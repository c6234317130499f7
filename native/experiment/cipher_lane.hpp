// SPDX-License-Identifier: Apache-2.0
// One lane of the check: it makes one connection after another, over which the kernel encrypts or
// decrypts record after record. For cipher_check.cpp.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "experiment/cipher_check.hpp"
#include "tls/probe.hpp"

namespace spliced::experiment {

// A driver that has not answered for this long has lost the job; a stall of some seconds is legal.
inline constexpr uint32_t kAnswerMsMax = 15'000;

// Shared by the lanes and the thread that waits for them. Lives as long as the last of them.
class SharedCheck {
 public:
  std::atomic<bool> over{false};
  std::atomic<uint64_t> records{0}, bytes{0}, sockets{0};

  // Waits until the time is over or there is a difference.
  void wait(uint32_t ms);
  // Only the first one is kept.
  void found(std::unique_ptr<CipherDifference> difference);
  void cannot(const std::string& reason);  // a lane could not begin
  std::unique_ptr<CipherDifference> take_difference();
  std::string trouble();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<CipherDifference> difference_;
  std::string trouble_;
};

void run_lane(SharedCheck& shared, const tls::CipherSpec& cipher, bool decrypting, uint64_t seed);

}  // namespace spliced::experiment
