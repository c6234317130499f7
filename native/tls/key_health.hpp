// SPDX-License-Identifier: Apache-2.0
// The health of a private key that is not in memory: whether its token signs, and if not, since
// when. One object for each reference in the whole process, shared by all users of the key. For any
// thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/limits.hpp"

typedef struct evp_pkey_st EVP_PKEY;

namespace spliced::tls {

class KeyHealth {
 public:
  explicit KeyHealth(std::string name, size_t signs_at_once = limits::kSigningThreadsPerKey)
      : name_(std::move(name)), signs_at_once_(signs_at_once) {}

  // For display: contains neither the PIN nor its location.
  const std::string& name() const { return name_; }
  size_t signs_at_once() const { return signs_at_once_; }

  struct Report {
    bool failing = false;
    uint64_t since_ms = 0;  // base::now_ms()
    std::string reason;     // one sentence
  };
  Report report() const;
  bool is_failing() const;

  // The key has signed, or the token was asked again and has the key.
  void succeeded();
  // The key did not sign, or not in time. It is tried again after a pause that doubles. After an
  // error about a PIN it is never tried automatically, because a token counts wrong PINs and locks.
  void failed(const std::string& reason, uint64_t now_ms);
  // While it fails: whether the caller should try it now. True at most once for each pause.
  bool may_try(uint64_t now_ms);

 private:
  const std::string name_;
  const size_t signs_at_once_;
  mutable std::mutex mutex_;
  Report report_;
  uint64_t pause_ms_ = 0, retry_at_ms_ = 0;
};

// A private key that is not in memory, and its health. Null for a key in memory.
struct RemoteKey {
  std::shared_ptr<KeyHealth> health;
  std::shared_ptr<EVP_PKEY> key;
};

// The object of the key with this reference (a PKCS #11 URI); made on first use.
std::shared_ptr<KeyHealth> health_of_key(const std::string& reference);

}  // namespace spliced::tls
