// SPDX-License-Identifier: Apache-2.0
// What is done with a key in a token beside handshakes: requests for certificates (PKCS #10). Any
// thread but an engine's; each asks the token, however long that takes.
#pragma once
#include <string>

namespace spliced::tls {

// The SubjectPublicKeyInfo (DER) of the key that a reference names. Empty, with one sentence in
// `error`, when there is no such key.
std::string public_key_of(const std::string& uri, std::string& error);

// Its signature over `data` with a digest of OpenSSL's name (SHA256, SHA384): of an EC key in DER,
// of an RSA key by RSASSA-PKCS1-v1_5. Empty, with `error`.
std::string sign_with_key(const std::string& uri, const std::string& digest,
                          const std::string& data, std::string& error);

}  // namespace spliced::tls
