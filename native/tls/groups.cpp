// SPDX-License-Identifier: Apache-2.0
// See groups.hpp.
#include "tls/groups.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <strings.h>

#include <iterator>

namespace spliced::tls {
namespace {

// Groups that SSL_group_to_name() calls by another name.
constexpr struct {
  const char* tls_name;
  const char* name;
} kOtherNames[] = {{"secp256r1", "P-256"},
                   {"prime256v1", "P-256"},
                   {"secp384r1", "P-384"},
                   {"secp521r1", "P-521"}};

const char* usual_name(const char* name) {
  for (const auto& other : kOtherNames)
    if (::strcasecmp(name, other.tls_name) == 0) return other.name;
  return name;
}

bool has_group(const std::vector<std::string>& names, const std::string& name) {
  for (const std::string& one : names)
    if (::strcasecmp(usual_name(one.c_str()), usual_name(name.c_str())) == 0) return true;
  return false;
}

// Whether it is a name, without any operator of a list ("?", "*", "-", ":", "/", "DEFAULT").
bool is_name(const std::string& text) {
  constexpr const char* kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return !text.empty() && text.front() != '-' && text != "DEFAULT" &&
         text.find_first_not_of(kAllowed) == std::string::npos;
}

bool is_hybrid(const std::string& name) {
  return name.find("MLKEM") != std::string::npos;
}

// A context of its own, to try lists on.
class Trial {
 public:
  Trial() : context_(SSL_CTX_new(TLS_server_method())) {}
  ~Trial() { SSL_CTX_free(context_); }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  bool takes(const std::string& list) const {
    const bool taken = context_ != nullptr && SSL_CTX_set1_groups_list(context_, list.c_str()) == 1;
    ERR_clear_error();
    return taken;
  }

 private:
  SSL_CTX* context_;
};

}  // namespace

std::string GroupList::text() const {
  std::string list;
  for (const std::string& name : used) {
    if (!list.empty() && list.back() != '/') list += ':';
    list += name;
    if (is_hybrid(name)) list += '/';
  }
  if (!list.empty() && list.back() == '/') list.pop_back();
  return list;
}

GroupList known_groups(const std::vector<std::string>& wanted) {
  const Trial trial;
  GroupList groups;
  std::string list;
  for (const std::string& name : wanted) {
    if (!is_name(name) || !trial.takes(name)) {
      groups.unknown.push_back(name);
      continue;
    }
    // A group may have several names. OpenSSL 3.0 refuses a list that has a group twice; 3.5
    // accepts it.
    if (has_group(groups.used, name)) continue;
    const std::string longer = list.empty() ? name : list + ":" + name;
    if (!trial.takes(longer)) continue;
    list = longer;
    groups.used.push_back(name);
  }
  return groups;
}

GroupList default_groups() {
  return known_groups({std::begin(kDefaultGroups), std::end(kDefaultGroups)});
}

std::vector<std::string> available_groups() {
  return known_groups({std::begin(kGroupNames), std::end(kGroupNames)}).used;
}

size_t group_of(SSL* ssl) {
  const int id = static_cast<int>(SSL_get_negotiated_group(ssl));
  if (id == 0) return kGroups;
  const char* found = SSL_group_to_name(ssl, id);
  ERR_clear_error();
  if (found == nullptr) return kGroups - 1;
  found = usual_name(found);
  for (size_t i = 0; i < kGroups; i++)
    if (::strcasecmp(found, kGroupNames[i]) == 0) return i;
  return kGroups - 1;
}

}  // namespace spliced::tls
