// SPDX-License-Identifier: Apache-2.0
// Makes certificates for tests of code above OpenSSL. Only for test programs that link libssl.
#pragma once
#include "tls/context.hpp"

namespace spliced::fakes {

// P-256, self-signed, valid for an hour from now on, for `name` or for no name.
tls::CertificatePem new_certificate(const char* name = nullptr);

}  // namespace spliced::fakes
