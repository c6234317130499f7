// SPDX-License-Identifier: Apache-2.0
// `spliced doctor --cipher-check`: the kernel's cipher under the load that finds a driver's faults,
// against software. Connections over loopback, all at once, one end of each with kernel TLS: what
// the kernel seals must be, byte by byte, what OpenSSL seals (software_record.hpp), and what
// OpenSSL sealed must be opened by the kernel. Many sizes, in pieces of every kind. Ends at the
// first difference. Called by seam/experiment.cpp on a thread of Node's pool.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "tls/cipher.hpp"

namespace spliced::experiment {

struct CipherCheckPlan {
  uint32_t duration_ms = 0;
  uint64_t seed = 0;  // the same one makes the same plaintexts, in the same pieces
};

enum class CipherFault : uint8_t {
  WrongBytes,  // the kernel gave other bytes than software
  Refused,     // a call failed: `error`
  NoAnswer,    // nothing came for limits of the check
};

// All that is needed to see it again. Bytes as they are.
struct CipherDifference {
  CipherFault fault = CipherFault::WrongBytes;
  int error = 0;  // errno
  const tls::CipherSpec* cipher = nullptr;
  bool decrypting = false;
  uint64_t sequence = 0;  // of the record
  std::string key, nonce, additional;
  std::string input, expected, got;  // of the record: plaintext and sealed, or the other way round
  size_t offset = 0;                 // of the first byte that differs
  std::string how;                   // the calls, such as "sendmsg 3+17+4096"
};

struct CipherCheckFigures {
  uint64_t records = 0, bytes = 0, sockets = 0;
  uint32_t lanes = 0;    // connections at the same time
  uint32_t hanging = 0;  // of them, those whose thread did not come back from the kernel
  uint64_t duration_ms = 0;
  std::unique_ptr<CipherDifference> difference;  // null: there was none
};

// False, with the reason, when it could not be tried.
bool check_ciphers(const CipherCheckPlan& plan, CipherCheckFigures& figures, std::string& error);

}  // namespace spliced::experiment
