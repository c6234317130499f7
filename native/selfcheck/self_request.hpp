// SPDX-License-Identifier: Apache-2.0
// One request to a listener of our own, as a client makes it: TCP, a whole TLS handshake in which
// one of our certificates is recognised by its fingerprint, HEAD / and the answer, to its end. The
// start asks before READY. Native, because the same through Node's tls module takes 8 ms more of a
// start (docs/PERFORMANCE.md). Called by seam/self_request.cpp on a thread of Node's pool.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace spliced::selfcheck {

struct SelfRequest {
  std::string address;  // numeric
  uint16_t port = 0;
  // SHA-256 of the certificates of which one must answer: "AB:CD:...", as
  // X509Certificate.fingerprint256.
  std::vector<std::string> fingerprints;
  uint32_t timeout_ms = 0;  // for all of it
};

struct SelfAnswer {
  // Empty: an HTTP response came, of whatever status. Else one sentence that says what is wrong.
  std::string trouble;
  // TCP did not get to the listener: no route, or nothing answered the SYN. That says nothing about
  // the service; a refusal (ECONNREFUSED) would.
  bool unreached = false;
};

SelfAnswer ask_ourselves(const SelfRequest& request);

}  // namespace spliced::selfcheck
