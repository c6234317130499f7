// SPDX-License-Identifier: Apache-2.0
// One request to a listener of this service, as a client makes it: TCP; a full TLS handshake in
// which the certificate is recognised by its fingerprint; HEAD / and the whole answer. The start
// does this before READY. It is native because Node's tls module would add 8 ms to the start
// (docs/PERFORMANCE.md). Called by seam/self_request.cpp on a thread of Node's pool.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace spliced::selfcheck {

struct SelfRequest {
  std::string address;  // numeric
  uint16_t port = 0;
  // SHA-256 of the certificates, one of which must be served: "AB:CD:...", as
  // X509Certificate.fingerprint256.
  std::vector<std::string> fingerprints;
  uint32_t timeout_ms = 0;  // for the whole request
};

struct SelfAnswer {
  // Empty: an HTTP response came, with any status. Otherwise one sentence that says what is wrong.
  std::string trouble;
  // TCP did not reach the listener: no route, or no answer to the SYN. That proves nothing about
  // the service; a refusal (ECONNREFUSED) would.
  bool unreached = false;
};

SelfAnswer ask_ourselves(const SelfRequest& request);

}  // namespace spliced::selfcheck
