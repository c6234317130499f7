// SPDX-License-Identifier: Apache-2.0
// A certificate for tests of what is above OpenSSL. Only of the test programs that link libssl.
#pragma once
#include "tls/context.hpp"

namespace spliced::fakes {

// P-256, signed by itself, for an hour from now on; good for `name`, or for none.
tls::CertificatePem new_certificate(const char* name = nullptr);

}  // namespace spliced::fakes
