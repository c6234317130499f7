// SPDX-License-Identifier: Apache-2.0
// The PKCS #11 URI of a private key (RFC 7512), or the handle of one in a TPM, taken apart: what is
// for us, what the provider gets, and what may be shown. Pure, but for $CREDENTIALS_DIRECTORY.
#pragma once
#include <string>

namespace spliced::tls {

struct TokenUri {
  bool is_tpm = false;
  std::string pin_file;      // of a TPM's key, whose PIN the provider asks for; empty: it has none
  std::string module_path;   // decoded; empty: none was given
  std::string for_provider;  // for private keys alone, without module-path
  std::string shown;         // the path alone: no PIN, and not where one is
};

// `handle:0x81000001`, perhaps with `?pin-source=`, is a TPM's. False, with one sentence in
// `error`, for what is no such reference, for `pin-value`, which would be shown wherever the
// configuration is, and for a credential that cannot be.
bool parse_token_uri(const std::string& uri, TokenUri& out, std::string& error);

}  // namespace spliced::tls
