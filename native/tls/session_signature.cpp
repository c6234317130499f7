// SPDX-License-Identifier: Apache-2.0
// The part of session.hpp for keys that are not in memory.
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cstring>
#include <utility>

#include "tls/session.hpp"

namespace spliced::tls {

int Session::on_certificate(SSL* ssl, void* generation) {
  auto* self = static_cast<Session*>(SSL_get_app_data(ssl));
  if (self->may_sign_) return 1;
  const auto* contexts = static_cast<const ContextGeneration*>(generation);
  RemoteKey key = contexts->remote_key_of(ssl);
  if (!key.health) return 1;
  self->remote_key_ = std::move(key);
  if (self->remote_key_.health->is_failing() && contexts->choose_in_memory(ssl)) return 1;
  return -1;  // not yet
}

// Whether the token failed, not the client: the error is not the TLS layer's own, or says only that
// something below it failed.
bool Session::failed_below(unsigned long code) const {
  const int reason = ERR_GET_REASON(code);
  return failure_ == HandshakeFailure::Other &&
         (ERR_GET_LIB(code) != ERR_LIB_SSL || reason == ERR_R_EVP_LIB ||
          reason == ERR_R_INTERNAL_ERROR);
}

// Whether the output is a HelloRetryRequest: a ServerHello with this random (RFC 8446 4.1.3).
bool Session::asks_again() const {
  static constexpr uint8_t kRandom[] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
                                        0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
                                        0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
                                        0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};
  constexpr size_t kBefore = 5 + 4 + 2;  // headers of record and message, and a version
  const std::string_view unsent = output_.unsent();
  return unsent.size() >= kBefore + sizeof kRandom &&
         std::memcmp(unsent.data() + kBefore, kRandom, sizeof kRandom) == 0;
}

Signature Session::sign(std::string& reason) {
  may_sign_ = true;
  input_.set_deaf(true);
  signed_ = advance();
  input_.set_deaf(false);
  may_sign_ = false;
  reason = std::exchange(failure_reason_, "");
  if (signed_ != Handshake::Failed) return asks_again() ? Signature::NotNeeded : Signature::Made;
  if (!failed_below(failure_code_)) return Signature::NotNeeded;
  failure_ = HandshakeFailure::Signature;
  return Signature::Failed;
}

}  // namespace spliced::tls
