// SPDX-License-Identifier: Apache-2.0
// See inspection.hpp.
#include "engine/inspection.hpp"

#include "tls/groups.hpp"
#include "tls/key_use.hpp"
#include "tls/token_key.hpp"

namespace spliced::engine {

GroupReport inspect_groups(const std::vector<std::string>& wanted) {
  tls::GroupList groups = tls::known_groups(wanted);
  return {std::move(groups.used), std::move(groups.unknown), tls::available_groups()};
}

int match_key(const std::string& reference, const std::vector<std::string>& certificates,
              std::string& error) {
  return tls::match_reference(reference, certificates, error);
}

int make_key(const std::string& reference, const std::string& kind, std::string& error) {
  return tls::make_key(reference, kind, error);
}

std::string public_key_of(const std::string& reference, std::string& error) {
  return tls::public_key_of(reference, error);
}

std::string sign_with_key(const std::string& reference, const std::string& digest,
                          const std::string& data, std::string& error) {
  return tls::sign_with_key(reference, digest, data, error);
}

}  // namespace spliced::engine
