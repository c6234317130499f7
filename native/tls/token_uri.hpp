// SPDX-License-Identifier: Apache-2.0
// Parses the PKCS #11 URI of a private key (RFC 7512), or the handle of one in a TPM: what spliced
// uses, what the provider gets, and what may be shown. Pure, except for $CREDENTIALS_DIRECTORY.
#pragma once
#include <string>

namespace spliced::tls {

struct TokenUri {
  bool is_tpm = false;
  std::string pin_file;      // of a TPM's key, whose PIN the provider asks for; empty: no PIN
  std::string module_path;   // decoded; empty: none was given
  std::string for_provider;  // names private keys alone, without module-path
  std::string shown;         // the path alone, with neither the PIN nor its location
};

// A TPM's key is `handle:0x81000001`, optionally with `?pin-source=`. False, with one sentence in
// `error`: not such a reference, a `pin-value` (it would be visible wherever the configuration is),
// or a credential that does not exist.
bool parse_token_uri(const std::string& uri, TokenUri& out, std::string& error);

}  // namespace spliced::tls
