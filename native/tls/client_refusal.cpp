// SPDX-License-Identifier: Apache-2.0
// Names of the refusals, in a file of their own because the native tests link them without OpenSSL.
#include "tls/client_trust.hpp"

namespace spliced::tls {

const char* const kClientRefusalNames[kClientRefusals] = {
    "unknown_ca",     "expired",     "not_yet_valid",   "revoked", "wrong_purpose", "weak_key",
    "chain_too_long", "crl_missing", "crl_out_of_date", "name",    "other"};

}  // namespace spliced::tls
