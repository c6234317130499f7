// SPDX-License-Identifier: Apache-2.0
// `spliced doctor --cipher-check`: compares the kernel's cipher with software, under the load that
// exposes faults of a driver. Connections over loopback, all at once, one end of each with kernel
// TLS. What the kernel encrypts must equal, byte by byte, what OpenSSL encrypts
// (software_record.hpp), and the kernel must decrypt what OpenSSL encrypted. It uses many sizes, in
// pieces of every kind, and ends at the first difference. Called by seam/experiment.cpp on a thread
// of Node's pool.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "tls/cipher.hpp"

namespace spliced::experiment {

struct CipherCheckPlan {
  uint32_t duration_ms = 0;
  uint64_t seed = 0;  // the same seed makes the same plaintexts in the same pieces
};

enum class CipherFault : uint8_t {
  WrongBytes,  // the kernel's bytes differ from software's
  Refused,     // a call failed: `error`
  NoAnswer,    // nothing came within the check's limit
};

// Everything needed to reproduce the difference. The bytes are raw.
struct CipherDifference {
  CipherFault fault = CipherFault::WrongBytes;
  int error = 0;  // errno
  const tls::CipherSpec* cipher = nullptr;
  bool decrypting = false;
  uint64_t sequence = 0;  // number of the record
  std::string key, nonce, additional;
  // Of the record: its plaintext and ciphertext, or the other way round.
  std::string input, expected, got;
  size_t offset = 0;  // of the first byte that differs
  std::string how;    // the calls, such as "sendmsg 3+17+4096"
};

struct CipherCheckFigures {
  uint64_t records = 0, bytes = 0, sockets = 0;
  uint32_t lanes = 0;    // concurrent connections
  uint32_t hanging = 0;  // of these, those whose thread did not return from the kernel
  uint64_t duration_ms = 0;
  std::unique_ptr<CipherDifference> difference;  // null: none
};

// False, with the reason, if the check could not be run.
bool check_ciphers(const CipherCheckPlan& plan, CipherCheckFigures& figures, std::string& error);

}  // namespace spliced::experiment
