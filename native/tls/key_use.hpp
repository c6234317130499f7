// SPDX-License-Identifier: Apache-2.0
// Uses of a key in a token beside handshakes: requests for certificates (PKCS #10). For any thread
// but an engine's: each call waits for the token, however long it takes.
#pragma once
#include <string>

namespace spliced::tls {

// The SubjectPublicKeyInfo (DER) of the referenced key. Empty if there is no such key; `error` is
// then one sentence.
std::string public_key_of(const std::string& uri, std::string& error);

// Signs `data` with the key. `digest` is OpenSSL's name (SHA256, SHA384). An EC key gives DER, an
// RSA key RSASSA-PKCS1-v1_5. Empty, with `error`, on failure.
std::string sign_with_key(const std::string& uri, const std::string& digest,
                          const std::string& data, std::string& error);

}  // namespace spliced::tls
