// SPDX-License-Identifier: Apache-2.0
// OpenSSL's providers for tokens: `pkcs11` (the package pkcs11-provider) with a PKCS #11 module,
// and `tpm2` (the package tpm2-openssl, from 1.3 on; earlier versions try a signature with the
// public half alone). Each is loaded into a library context of its own, by a configuration in
// memory. Used by token_key.cpp; docs/KEYS.md has the reasons.
#pragma once
#include <openssl/types.h>

#include <string>

#include "tls/token_uri.hpp"

namespace spliced::tls {

// The context that has the reference's provider, for the life of the process. Null with `error`.
OSSL_LIB_CTX* token_context(const TokenUri& uri, std::string& error);

// The PKCS #11 module that the reference names, else p11-kit's proxy. Empty: neither exists.
std::string module_of(const TokenUri& uri);

}  // namespace spliced::tls
