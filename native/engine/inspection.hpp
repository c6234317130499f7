// SPDX-License-Identifier: Apache-2.0
// Examines TLS settings without an engine, for checks before anything is changed.
#pragma once
#include <string>
#include <vector>

namespace spliced::engine {

struct GroupReport {
  std::vector<std::string> used, unknown, available;  // tls/groups.hpp
};
GroupReport inspect_groups(const std::vector<std::string>& wanted);

// See match_reference() in tls/token_key.hpp. Not for the Node thread.
int match_key(const std::string& reference, const std::vector<std::string>& certificates,
              std::string& error);

// See tls/token_key.hpp. Not for the Node thread.
int make_key(const std::string& reference, const std::string& kind, std::string& error);

// See tls/key_use.hpp. Not for the Node thread.
std::string public_key_of(const std::string& reference, std::string& error);
std::string sign_with_key(const std::string& reference, const std::string& digest,
                          const std::string& data, std::string& error);

}  // namespace spliced::engine
