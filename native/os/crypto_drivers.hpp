// SPDX-License-Identifier: Apache-2.0
// Which driver the kernel would take for an algorithm, read from /proc/crypto. Used once at start
// to say in the status what encrypts kTLS records, and whether it does so asynchronously (CAAM,
// cryptd). Diagnosis only: nothing in the data path depends on the answer, as drivers come and go.
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
// internal; the first of equals, as crypto/api.c (__crypto_alg_lookup) walks the same list in the
// same order. Nothing if no entry will do. Note that the kernel builds templates such as gcm() on
// first use, so an algorithm may be missing here and still be available.
std::optional<CipherDriver> preferred_driver(std::string_view proc_crypto_text,
                                             std::string_view algorithm);

// The text of /proc/crypto, whole entries only and at most 256 KiB; empty if it cannot be read.
std::string read_proc_crypto();

}  // namespace spliced::os
