// SPDX-License-Identifier: Apache-2.0
// Private keys by reference: a PKCS #11 URI (RFC 7512) in place of a PEM text. The key stays in its
// token; what there is here is an EVP_PKEY of the pkcs11 provider (the package pkcs11-provider), in
// a library context of that module alone, so that Node's default context stays as it was.
// docs/KEYS.md says which Node can, and why it is done so.
//
// Of the URI's query, `module-path` names the PKCS #11 module (else p11-kit's proxy is taken), and
// `pin-source` is a file, or `credential:NAME` in $CREDENTIALS_DIRECTORY. A PIN is read by the
// provider: it is neither logged nor kept here, and `pin-value` is refused.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "tls/pem.hpp"

namespace spliced::tls {

using KeyPtr = std::unique_ptr<EVP_PKEY, Free>;

bool is_key_reference(const std::string& text);

// Null, with one sentence in `error` that names the module and the token. Asks the token at the
// first time, however long that takes; later it is the key that was found then. Any thread.
KeyPtr referenced_key(const std::string& uri, std::string& error);

// Makes a key pair in the token, as the reference names it, unless it has such a key: sensitive, and
// never to be taken out. `kind`: P-256, P-384, RSA-2048, RSA-3072 or RSA-4096. 1: it was made; 0: there
// was one; -1, with `error`. It may take as long as the token likes.
int make_key(const std::string& uri, const std::string& kind, std::string& error);

// Asks the token again, and says which of the certificates (PEM) has this key: its index, or -1
// when none has. -2, with `error`, when there is no such key. It may take as long as the token
// likes.
int match_reference(const std::string& uri, const std::vector<std::string>& certificates,
                    std::string& error);

}  // namespace spliced::tls
