// SPDX-License-Identifier: Apache-2.0
// See traffic_secrets.hpp.
#include "tls/traffic_secrets.hpp"

#include <errno.h>
#include <openssl/crypto.h>

#include <cstring>

namespace spliced::tls {
namespace {

int give_next(int socket, ktls::Direction direction, const CipherSpec& spec, uint8_t* secret) {
  TrafficKeys keys;
  if (!update_tls13(spec, secret) || !derive_tls13(spec, secret, keys)) return EIO;
  return ktls::install(socket, direction, spec, keys);
}

}  // namespace

TrafficSecrets::TrafficSecrets(const uint8_t* transmit, const uint8_t* receive) {
  std::memcpy(transmit_, transmit, sizeof transmit_);
  std::memcpy(receive_, receive, sizeof receive_);
}

TrafficSecrets::~TrafficSecrets() {
  OPENSSL_cleanse(transmit_, sizeof transmit_);
  OPENSSL_cleanse(receive_, sizeof receive_);
}

int TrafficSecrets::update(int socket, ktls::Direction direction, const CipherSpec& spec) {
  uint8_t* current = direction == ktls::Direction::Transmit ? transmit_ : receive_;
  uint8_t next[kBytesMax];
  std::memcpy(next, current, sizeof next);
  const int error = give_next(socket, direction, spec, next);
  if (error == 0) std::memcpy(current, next, sizeof next);
  OPENSSL_cleanse(next, sizeof next);
  return error;
}

}  // namespace spliced::tls
