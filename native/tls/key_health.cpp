// SPDX-License-Identifier: Apache-2.0
// See key_health.hpp.
#include "tls/key_health.hpp"

#include <algorithm>
#include <map>

#include "base/limits.hpp"

namespace spliced::tls {
namespace {

using Lock = std::lock_guard<std::mutex>;

constexpr size_t kReasonBytesMax = 200;

// A TPM does one thing at a time and has room for few objects (three in swtpm): without a resource
// manager several signatures at once can fail.
size_t signs_at_once(const std::string& reference) {
  const bool is_tpm = reference.rfind("handle:", 0) == 0;
  return is_tpm ? 1 : limits::kSigningThreadsPerKey;
}

}  // namespace

KeyHealth::Report KeyHealth::report() const {
  Lock lock(mutex_);
  return report_;
}

bool KeyHealth::is_failing() const {
  Lock lock(mutex_);
  return report_.failing;
}

void KeyHealth::succeeded() {
  Lock lock(mutex_);
  report_ = {};
  pause_ms_ = retry_at_ms_ = 0;
}

void KeyHealth::failed(const std::string& reason, uint64_t now_ms) {
  Lock lock(mutex_);
  if (!report_.failing) report_.since_ms = now_ms;
  report_.failing = true;
  report_.reason = reason.substr(0, kReasonBytesMax);
  pause_ms_ =
      pause_ms_ == 0 ? limits::kKeyPauseMs : std::min(2 * pause_ms_, limits::kKeyPauseMsMax);
  retry_at_ms_ = reason.find("PIN") == std::string::npos ? now_ms + pause_ms_ : UINT64_MAX;
}

bool KeyHealth::may_try(uint64_t now_ms) {
  Lock lock(mutex_);
  if (!report_.failing) return true;
  if (now_ms < retry_at_ms_) return false;
  retry_at_ms_ = now_ms + pause_ms_;
  return true;
}

std::shared_ptr<KeyHealth> health_of_key(const std::string& reference) {
  static std::mutex mutex;
  static auto* all = new std::map<std::string, std::shared_ptr<KeyHealth>>();
  Lock lock(mutex);
  std::shared_ptr<KeyHealth>& found = (*all)[reference];
  if (found) return found;
  auto made = std::make_shared<KeyHealth>(reference.substr(0, reference.find('?')),
                                          signs_at_once(reference));
  found = made;
  if (all->size() > limits::kKeysKnownMax)  // drop those without a user
    for (auto it = all->begin(); it != all->end();)
      it = it->second.use_count() == 1 ? all->erase(it) : std::next(it);
  return made;
}

}  // namespace spliced::tls
