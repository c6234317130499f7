// SPDX-License-Identifier: Apache-2.0
// Private keys by reference: a PKCS #11 URI (RFC 7512) in place of a PEM text. The key stays in its
// token. Here it is an EVP_PKEY of the pkcs11 provider (the package pkcs11-provider), in a library
// context for that module alone, so that Node's default context stays unchanged. docs/KEYS.md says
// which Node supports this, and the reasons.
//
// Of the URI's query, `module-path` names the PKCS #11 module (default: p11-kit's proxy), and
// `pin-source` is a file, or `credential:NAME` in $CREDENTIALS_DIRECTORY. The provider reads the
// PIN, which is neither logged nor kept here. `pin-value` is refused.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "tls/pem.hpp"

namespace spliced::tls {

using KeyPtr = std::unique_ptr<EVP_PKEY, Free>;

bool is_key_reference(const std::string& text);

// Null on failure; `error` is then one sentence that names the module and the token. The first call
// asks the token, however long it takes; later calls return the key that was found. For any thread.
KeyPtr referenced_key(const std::string& uri, std::string& error);

// Makes a key pair in the token, named by the reference, unless it has such a key. The key is
// sensitive and cannot be extracted. `kind`: P-256, P-384, RSA-2048, RSA-3072 or RSA-4096. 1: made;
// 0: it existed; -1: failed, with `error`. Takes as long as the token does.
int make_key(const std::string& uri, const std::string& kind, std::string& error);

// Asks the token again, and finds the certificate (PEM) of this key: its index, or -1 if none has
// it. -2, with `error`: there is no such key. Takes as long as the token does.
int match_reference(const std::string& uri, const std::vector<std::string>& certificates,
                    std::string& error);

}  // namespace spliced::tls
