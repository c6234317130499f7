// SPDX-License-Identifier: Apache-2.0
// The settings for client certificates, as seam/ passes them to the service, and a report of what
// they contain.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "http/path_prefixes.hpp"
#include "tls/client_trust.hpp"

namespace spliced::engine {

// Why something could not be made: a stable code (EROOT, ELISTEN, ECERTIFICATE,
// ECLIENTCERTIFICATES, ETHREAD) and one sentence.
struct Failure {
  const char* code = "";
  std::string message;
  int system_error = 0;  // the errno behind ELISTEN; 0: none
};

// Which client certificates are trusted, and which paths require one.
struct ClientCertificates {
  tls::ClientTrustPem trust;
  std::shared_ptr<const http::PathPrefixes> required;  // null: none does
};

// Times in seconds since the epoch; INT64_MAX: never.
struct ClientTrustReport {
  size_t authorities = 0, revocation_lists = 0;
  int64_t ca_not_after_s = INT64_MAX;
  int64_t crl_next_update_s = INT64_MAX;
};

// `trust` is null if no client certificate is requested. False, with `failure`, if the settings
// cannot be used.
bool read_trust(const ClientCertificates& clients, std::shared_ptr<const tls::ClientTrust>& trust,
                Failure& failure);
bool inspect(const ClientCertificates& clients, ClientTrustReport& report, Failure& failure);

}  // namespace spliced::engine
