// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4) of data that arrives in pieces, by OpenSSL. For the digest of an upload
// (upload/keeper.cpp). One thread at a time.
#pragma once
#include <cstddef>
#include <memory>
#include <string>

namespace spliced::tls {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  // False if OpenSSL has no memory or no SHA-256; all later calls fail then, too.
  [[nodiscard]] bool update(const void* data, size_t bytes);
  // 64 lower-case hexadecimal digits; empty on failure. To be called once.
  [[nodiscard]] std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace spliced::tls
