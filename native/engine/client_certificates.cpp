// SPDX-License-Identifier: Apache-2.0
// See client_certificates.hpp.
#include "engine/client_certificates.hpp"

namespace spliced::engine {

bool read_trust(const ClientCertificates& clients, std::shared_ptr<const tls::ClientTrust>& trust,
                Failure& failure) {
  trust = nullptr;
  if (clients.trust.ca.empty()) return true;
  std::string error;
  trust = tls::ClientTrust::read(clients.trust, error);
  if (!trust) failure = {"ECLIENTCERTIFICATES", error};
  return trust != nullptr;
}

bool inspect(const ClientCertificates& clients, ClientTrustReport& report, Failure& failure) {
  std::shared_ptr<const tls::ClientTrust> trust;
  if (!read_trust(clients, trust, failure)) return false;
  report = {};
  if (!trust) return true;
  report.authorities = trust->authorities();
  report.revocation_lists = trust->revocation_lists();
  report.ca_not_after_s = trust->first_not_after_s();
  report.crl_next_update_s = trust->first_next_update_s();
  return true;
}

}  // namespace spliced::engine
