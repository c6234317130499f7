// SPDX-License-Identifier: Apache-2.0
// Looks at settings of TLS without an engine, for checks before anything is changed.
#pragma once
#include <string>
#include <vector>

namespace spliced::engine {

struct GroupReport {
  std::vector<std::string> used, unknown, available;  // tls/groups.hpp
};
GroupReport inspect_groups(const std::vector<std::string>& wanted);

// tls/token_key.hpp: match_reference(). Not for Node's thread.
int match_key(const std::string& reference, const std::vector<std::string>& certificates,
              std::string& error);

}  // namespace spliced::engine
