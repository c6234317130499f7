// SPDX-License-Identifier: Apache-2.0
// How a private key that is not in memory does: whether its token signs, and since when it does
// not. One object a reference for the whole process, shared by everybody who has the key. Any
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

  const std::string& name() const { return name_; }  // for people: no PIN, and not where one is
  size_t signs_at_once() const { return signs_at_once_; }

  struct Report {
    bool failing = false;
    uint64_t since_ms = 0;  // base::now_ms()
    std::string reason;     // one sentence
  };
  Report report() const;
  bool is_failing() const;

  // It has signed, or its token was asked afresh and has it.
  void succeeded();
  // It has not, or has not answered in time. It is tried again after a pause that doubles; never
  // by itself after a word about a PIN, because a token counts the wrong ones, and locks.
  void failed(const std::string& reason, uint64_t now_ms);
  // While it fails: whether it is time for one to try. True at most once a pause.
  bool may_try(uint64_t now_ms);

 private:
  const std::string name_;
  const size_t signs_at_once_;
  mutable std::mutex mutex_;
  Report report_;
  uint64_t pause_ms_ = 0, retry_at_ms_ = 0;
};

// A private key that is not in memory, and how it does; null for one that is.
struct RemoteKey {
  std::shared_ptr<KeyHealth> health;
  std::shared_ptr<EVP_PKEY> key;
};

// Of the key with this reference (a PKCS #11 URI), made at the first time.
std::shared_ptr<KeyHealth> health_of_key(const std::string& reference);

}  // namespace spliced::tls
