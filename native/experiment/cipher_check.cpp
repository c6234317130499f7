// SPDX-License-Identifier: Apache-2.0
// See cipher_check.hpp: the lanes and their time. A lane is a thread that runs one connection after
// another (cipher_lane.cpp).
#include "experiment/cipher_check.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "experiment/cipher_lane.hpp"
#include "os/thread.hpp"

namespace spliced::experiment {
namespace {

// How long a lane may still be in a system call when the time is over.
constexpr uint32_t kLaneEndMs = 2 * kAnswerMsMax;

// One suite for each TLS version and kernel cipher that the kernel accepts: other suites have the
// same records.
std::vector<const tls::CipherSpec*> ciphers_to_check() {
  std::vector<const tls::CipherSpec*> found;
  const tls::KernelSupport kernel = tls::probe_kernel();
  for (const tls::CipherSpec& spec : tls::kCiphers) {
    const tls::CipherSupport& support = kernel.of(spec);
    const bool known = std::any_of(found.begin(), found.end(), [&](const tls::CipherSpec* other) {
      return other->version == spec.version && other->kernel_type == spec.kernel_type;
    });
    if (support.transmit && support.receive && !known) found.push_back(&spec);
  }
  return found;
}

}  // namespace

void SharedCheck::wait(uint32_t ms) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return over.load(); });
  over = true;
}

void SharedCheck::found(std::unique_ptr<CipherDifference> difference) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!difference_) difference_ = std::move(difference);
  over = true;
  changed_.notify_all();
}

void SharedCheck::cannot(const std::string& reason) {
  std::lock_guard<std::mutex> lock(mutex_);
  trouble_ = reason;
}

std::unique_ptr<CipherDifference> SharedCheck::take_difference() {
  std::lock_guard<std::mutex> lock(mutex_);
  return std::move(difference_);
}

std::string SharedCheck::trouble() {
  std::lock_guard<std::mutex> lock(mutex_);
  return trouble_.empty() ? "no record came through" : trouble_;
}

bool check_ciphers(const CipherCheckPlan& plan, CipherCheckFigures& figures, std::string& error) {
  const auto shared = std::make_shared<SharedCheck>();
  auto owned = std::make_unique<std::vector<os::Thread>>();
  std::vector<os::Thread>& threads = *owned;
  const uint64_t began_ms = base::now_ms();
  for (const tls::CipherSpec* cipher : ciphers_to_check()) {
    for (bool decrypting : {false, true}) {
      const uint64_t seed = plan.seed + threads.size();
      os::Thread thread;
      if (!thread.start("spliced-check", [=] { run_lane(*shared, *cipher, decrypting, seed); }))
        continue;
      threads.push_back(std::move(thread));
    }
  }
  figures.lanes = static_cast<uint32_t>(threads.size());
  if (threads.empty()) {
    error = "the kernel takes no cipher, or no thread can be started";
    return false;
  }
  shared->wait(plan.duration_ms);
  const uint64_t end_ms = base::now_ms() + kLaneEndMs;  // for all of them together
  for (os::Thread& thread : threads) {
    const uint64_t now_ms = base::now_ms();
    const uint64_t left_ms = end_ms > now_ms ? end_ms - now_ms : 0;
    if (!thread.join_within(static_cast<uint32_t>(left_ms))) figures.hanging++;
  }
  if (figures.hanging > 0) (void)owned.release();  // a running thread must not be destroyed
  figures.records = shared->records.load();
  figures.bytes = shared->bytes.load();
  figures.sockets = shared->sockets.load();
  figures.duration_ms = base::now_ms() - began_ms;
  figures.difference = shared->take_difference();
  const bool was_tried = figures.records > 0 || figures.hanging > 0 || figures.difference;
  if (!was_tried) error = shared->trouble();
  return was_tried;
}

}  // namespace spliced::experiment
