// SPDX-License-Identifier: Apache-2.0
// The PKCS #11 URI of a private key (RFC 7512), taken apart: what is for us, what the provider
// gets, and what may be shown. Pure, but for $CREDENTIALS_DIRECTORY.
#pragma once
#include <string>

namespace spliced::tls {

struct TokenUri {
  std::string module_path;   // decoded; empty: none was given
  std::string for_provider;  // for private keys alone, without module-path
  std::string shown;         // the path alone: no PIN, and not where one is
};

// False, with one sentence in `error`, for what is no such URI, for `pin-value`, which would be
// shown wherever the configuration is, and for a credential that cannot be.
bool parse_token_uri(const std::string& uri, TokenUri& out, std::string& error);

}  // namespace spliced::tls
