// SPDX-License-Identifier: Apache-2.0
// The groups of the key exchange: which of a list OpenSSL supports, and under which names they are
// counted. Support depends on the version of the library in this process: hybrids with ML-KEM
// (draft-ietf-tls-ecdhe-mlkem) came with OpenSSL 3.5.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

typedef struct ssl_st SSL;

namespace spliced::tls {

// The groups that are counted by name; every other one counts as the last.
inline constexpr size_t kGroups = 9;
inline constexpr const char* kGroupNames[kGroups] = {"X25519MLKEM768",
                                                     "SecP256r1MLKEM768",
                                                     "SecP384r1MLKEM1024",
                                                     "X25519",
                                                     "P-256",
                                                     "P-384",
                                                     "P-521",
                                                     "X448",
                                                     "other"};

// In the order of preference.
inline constexpr const char* kDefaultGroups[] = {"X25519MLKEM768", "X25519", "P-256", "P-384"};

struct GroupList {
  std::vector<std::string> used;     // the supported ones of the list, in its order, each once
  std::vector<std::string> unknown;  // to this OpenSSL, or in general

  // The text for SSL_CTX_set1_groups_list(). A "/" (OpenSSL 3.5) follows each hybrid: a client that
  // names it gets it even if it sent a key share only for a later group. That costs another round
  // trip. Empty if no group is supported.
  std::string text() const;
};

GroupList known_groups(const std::vector<std::string>& wanted);
GroupList default_groups();
// The groups of kGroupNames that OpenSSL supports.
std::vector<std::string> available_groups();

// The group of a finished handshake, as an index of kGroupNames. A session resumed in TLS 1.2 has
// no key exchange: then it is the group of its first handshake. kGroups: none.
size_t group_of(SSL* ssl);

}  // namespace spliced::tls
