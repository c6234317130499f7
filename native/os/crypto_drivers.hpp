// SPDX-License-Identifier: Apache-2.0
// The driver that the kernel would choose for an algorithm, read from /proc/crypto. Read once, at
// the start, so that the status can say what encrypts kTLS records and whether it is asynchronous
// (CAAM, cryptd). For diagnosis only: drivers come and go, so the data path never depends on the
// answer.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace spliced::os {

struct CipherDriver {
  std::string name;       // cra_driver_name, such as "gcm-aes-caam"
  std::string algorithm;  // cra_name, such as "gcm(aes)"
  int priority = 0;
  bool async = false;
  bool internal = false;  // always false in what preferred_driver() returns
};

// The entry for `algorithm` with the highest priority that passed its self-test and is not
// internal; of equals the first, because crypto/api.c (__crypto_alg_lookup) walks the same list in
// the same order. Empty if no entry qualifies. The kernel instantiates templates such as gcm() on
// first use, so an algorithm may be missing here and still be available.
std::optional<CipherDriver> preferred_driver(std::string_view proc_crypto_text,
                                             std::string_view algorithm);

// The text of /proc/crypto, whole entries only and at most 256 KiB; empty if it cannot be read.
std::string read_proc_crypto();

}  // namespace spliced::os
