// SPDX-License-Identifier: Apache-2.0
// A token in place of tls/token_key.cpp: its keys are in memory, and whoever signs with one waits
// at a gate, fails or goes on, as the test says. It stands in for what takes 10 to 500 ms, hangs,
// or is pulled; and a test needs no clock.
#pragma once
#include <cstddef>

#include "tls/context.hpp"

namespace spliced::fakes {

enum class Mood { Signs, Waits, Fails };

void set_token(Mood mood);
size_t token_asked();   // signatures that were begun since the last set_token()
size_t token_inside();  // of them, those that wait at the gate now

// Its key is in the token.
tls::CertificatePem new_token_certificate(const char* name);

}  // namespace spliced::fakes
