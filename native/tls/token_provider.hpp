// SPDX-License-Identifier: Apache-2.0
// OpenSSL's providers for tokens, each loaded into a library context of its own by a configuration
// in memory: `pkcs11` (the package pkcs11-provider) with a PKCS #11 module, and `tpm2` (the package
// tpm2-openssl, from 1.3 on: before, a signature is tried with the public half alone). Used by
// token_key.cpp; docs/KEYS.md says why it is done so.
#pragma once
#include <openssl/types.h>

#include <string>

#include "tls/token_uri.hpp"

namespace spliced::tls {

// The one that has the reference's provider, for the life of the process; null with `error`.
OSSL_LIB_CTX* token_context(const TokenUri& uri, std::string& error);

// Of PKCS #11: what the reference names, else p11-kit's proxy. Empty: it has none of these.
std::string module_of(const TokenUri& uri);

}  // namespace spliced::tls
