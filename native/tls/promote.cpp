// SPDX-License-Identifier: Apache-2.0
// See promote.hpp.
#include "tls/promote.hpp"

#include <errno.h>

#include "tls/ktls.hpp"

namespace spliced::tls {
namespace {

Promotion stay(Fallback reason, const CipherSpec* cipher) {
  return {Promotion::Outcome::UserSpace, reason, cipher, 0, 0};
}

// Changes nothing: to be called before anything is attached to the socket.
bool validate(const CipherSpec* cipher, const Session& session, const KernelSupport& kernel,
              std::optional<Fallback> unwanted, Fallback& reason) {
  if (unwanted) {
    reason = *unwanted;
  } else if (!kernel.attachable) {
    reason = Fallback::KernelHasNoTls;
  } else if (cipher == nullptr || !kernel.of(*cipher).transmit || !kernel.of(*cipher).receive) {
    reason = Fallback::CipherRefused;
  } else if (session.has_fragment_limit()) {
    reason = Fallback::FragmentLength;
  } else if (!session.quiescent()) {
    reason = Fallback::NotQuiescent;
  } else {
    return true;
  }
  return false;
}

}  // namespace

const char* const kFallbackNames[kFallbacks] = {
    "off_by_configuration", "kernel_has_no_tls", "cipher_refused",  "peer_closed",
    "not_quiescent",        "install_failed",    "fragment_length", "suspended"};

Promotion promote(int socket, const Session& session, const KernelSupport& kernel,
                  std::optional<Fallback> unwanted) {
  const CipherSpec* cipher = session.cipher();
  Fallback reason = Fallback::InstallFailed;
  if (!validate(cipher, session, kernel, unwanted, reason)) return stay(reason, cipher);

  TrafficKeys transmit, receive;
  if (!session.export_keys(*cipher, transmit, receive))
    return stay(Fallback::InstallFailed, cipher);
  const int attached = ktls::attach(socket);
  if (attached != 0) {
    // The socket is no longer ESTABLISHED: the client has half-closed already.
    const bool gone = attached == ENOTCONN;
    return stay(gone ? Fallback::PeerClosed : Fallback::InstallFailed, cipher);
  }
  // A socket with "tls" attached but without keys passes everything through (net/tls/tls_main.c:
  // TLS_BASE), so OpenSSL can still continue. After TLS_TX there is no way back.
  if (ktls::install(socket, ktls::Direction::Transmit, *cipher, transmit) != 0)
    return stay(Fallback::InstallFailed, cipher);
  if (ktls::install(socket, ktls::Direction::Receive, *cipher, receive) != 0)
    return {Promotion::Outcome::Broken, Fallback::InstallFailed, cipher, 0, 0};
  Promotion promotion{Promotion::Outcome::Kernel, reason, cipher, transmit.sequence,
                      receive.sequence};
  if (kernel.of(*cipher).updates) promotion.secrets = session.export_secrets();
  return promotion;
}

}  // namespace spliced::tls
