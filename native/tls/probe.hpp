// SPDX-License-Identifier: Apache-2.0
// What this kernel can encrypt. Found out once at start, by trying each cipher on a loopback
// connection. The promotion decides by it; the status and `spliced doctor` show it.
#pragma once
#include <algorithm>
#include <iterator>
#include <string>

#include "tls/cipher.hpp"

namespace spliced::tls {

struct CipherSupport {
  bool transmit = false;
  bool receive = false;
  bool updates = false;  // it accepts new keys after the first (TLS 1.3, Linux 6.14)
  int error = 0;         // errno of the first refusal
};

struct KernelSupport {
  bool tried = true;        // false: there was no connection to try it on, and nothing is known
  bool attachable = false;  // TCP_ULP "tls" is accepted
  std::string reason;       // if not: one sentence with the cause and the remedy
  CipherSupport by_cipher[kCipherSpecs];
  // sendfile waits for the cipher, as send does (since 6.5, where it is a send: MSG_SPLICE_PAGES).
  bool sendfile_waits = false;
  // A splice from the socket delivers each record whole. Before 6.0 a record stays in network
  // buffers, in any number of pieces, and what does not fit into one call is lost.
  bool splices_received = false;

  bool takes_new_keys() const {
    return std::any_of(std::begin(by_cipher), std::end(by_cipher),
                       [](const CipherSupport& support) { return support.updates; });
  }
  const CipherSupport& of(const CipherSpec& spec) const { return by_cipher[index_of(spec)]; }
};

// Waits at most limits::kProbeConnectMs for its connections, because a start must not hang on
// loopback.
KernelSupport probe_kernel();

}  // namespace spliced::tls
