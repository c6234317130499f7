// SPDX-License-Identifier: Apache-2.0
// See inspection.hpp.
#include "engine/inspection.hpp"

#include "tls/groups.hpp"
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

}  // namespace spliced::engine
