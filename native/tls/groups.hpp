// SPDX-License-Identifier: Apache-2.0
// The groups of the key exchange: which of a list the process's OpenSSL has, and what they are
// called where they are counted. Which there are is the library's affair: hybrids with ML-KEM
// (draft-ietf-tls-ecdhe-mlkem) came with OpenSSL 3.5.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

typedef struct ssl_st SSL;

namespace spliced::tls {

// Those that are counted by name; every other one is the last.
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
  std::vector<std::string> used;     // of the wanted ones, in their order, each once
  std::vector<std::string> unknown;  // to this OpenSSL, or to anybody

  // For SSL_CTX_set1_groups_list(). Each hybrid comes before a "/" (OpenSSL 3.5): a client that
  // names it gets it, even where it has sent the key share of a later group alone, for a round trip
  // more. Empty when there is none.
  std::string text() const;
};

GroupList known_groups(const std::vector<std::string>& wanted);
GroupList default_groups();
// Those of kGroupNames that there are.
std::vector<std::string> available_groups();

// Of a handshake that is over, an index of kGroupNames; of a session resumed in TLS 1.2, which has
// no exchange, that of its first handshake. kGroups: none.
size_t group_of(SSL* ssl);

}  // namespace spliced::tls
