// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4) of what comes in pieces, by OpenSSL. For the digest of an upload
// (upload/keeper.cpp); one thread at a time.
#pragma once
#include <cstddef>
#include <memory>
#include <string>

namespace spliced::tls {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  // False when OpenSSL has no memory, or no SHA-256; then everything that follows is false, too.
  [[nodiscard]] bool update(const void* data, size_t bytes);
  // 64 hexadecimal digits in lower case; empty on failure. Once.
  [[nodiscard]] std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace spliced::tls
