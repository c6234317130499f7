// SPDX-License-Identifier: Apache-2.0
// Replaces tls/token_key.cpp by a token whose keys are in memory. A thread that signs with one
// waits at a gate, fails or continues, as the test decides. It simulates a token that takes 10 to
// 500 ms, hangs, or is removed, without a clock.
#pragma once
#include <cstddef>

#include "tls/context.hpp"

namespace spliced::fakes {

enum class Mood { Signs, Waits, Fails };

void set_token(Mood mood);
size_t token_asked();   // signatures begun since the last set_token()
size_t token_inside();  // of these, those that wait at the gate now

// A certificate whose key is in the token. `scheme`: of its reference ("pkcs11:"; "handle:" for a
// TPM).
tls::CertificatePem new_token_certificate(const char* name, const char* scheme = "pkcs11:");

}  // namespace spliced::fakes
