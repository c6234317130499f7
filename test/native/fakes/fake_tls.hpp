// SPDX-License-Identifier: Apache-2.0
// Replaces tls/session.cpp, tls/served_name.cpp, tls/websocket_key.cpp, tls/promote.cpp,
// tls/ktls.cpp and tls/traffic_secrets.cpp at link time. A script decides the verdicts of
// handshakes and the results of promotions. No OpenSSL. In user space a session makes the same
// records as the fake kernel, so that one kind of peer reads both.
#pragma once
#include <deque>
#include <string>

#include "tls/promote.hpp"

namespace spliced::fakes {

struct TlsScript {
  // results of the calls of handshake(); when empty: Done
  std::deque<tls::Handshake> handshake;
  tls::HandshakeFailure failure = tls::HandshakeFailure::Other;
  tls::ClientRefusal client_refusal = tls::ClientRefusal::Other;
  std::string refused_subject;
  bool resumed = false;
  bool http2 = false;  // ALPN chose it
  size_t group = 0;
  bool asked_for_certificate = false;
  std::string client;            // subject of its verified certificate; empty: none was sent
  size_t handshake_bytes = 300;  // sent unencrypted before the first result
  tls::Promotion::Outcome outcome = tls::Promotion::Outcome::Kernel;
  tls::Fallback fallback = tls::Fallback::CipherRefused;
  size_t cipher = 0;  // index of tls::kCiphers
  uint64_t transmit_sequence = 1, receive_sequence = 0;
  bool start_fails = false;
  // The kernel refuses a new key of that direction, against what it announced.
  bool new_receive_key_fails = false, new_transmit_key_fails = false;
};

// The script of the socket. It must exist before the product sees the socket.
TlsScript& tls_script(int fd);
void forget_tls_scripts();
size_t live_sessions();
size_t live_secrets();
// A generation without contexts, with a trust of its own.
std::shared_ptr<const tls::ContextGeneration> new_generation();

}  // namespace spliced::fakes
