// SPDX-License-Identifier: Apache-2.0
// See served_name.hpp.
#include "tls/served_name.hpp"

#include <openssl/x509v3.h>

#include <algorithm>

namespace spliced::tls {
namespace {

// RFC 9525 6.3: the subject's common name does not count, and a wildcard is a whole label.
constexpr unsigned kNamesOnly =
    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;

std::string_view without_root(std::string_view name) {
  if (!name.empty() && name.back() == '.') name.remove_suffix(1);
  return name;
}

std::string_view without_brackets(std::string_view host) {
  if (host.size() < 2 || host.front() != '[' || host.back() != ']') return host;
  return host.substr(1, host.size() - 2);
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_covered(X509* leaf, std::string_view host) {
  const std::string name(without_brackets(without_root(host)));
  // No host begins with these; X509_check_host(3) would match a dot with every name below.
  if (leaf == nullptr || name.empty() || name.front() == '.' || name.front() == '*') return false;
  if (X509_check_ip_asc(leaf, name.c_str(), 0) == 1) return true;
  return X509_check_host(leaf, name.data(), name.size(), kNamesOnly, nullptr) == 1;
}

}  // namespace

ServedName::ServedName(std::string_view sni, X509* leaf, bool asked_for_certificate)
    : sni_(without_root(sni)), leaf_(leaf), asked_for_certificate_(asked_for_certificate) {
  if (leaf_ != nullptr) X509_up_ref(leaf_);
}

ServedName::~ServedName() {
  X509_free(leaf_);
}

bool ServedName::is_for(std::string_view host) const {
  host = without_root(host);
  return std::equal(host.begin(), host.end(), sni_.begin(), sni_.end(),
                    [](char a, char b) { return lower(a) == lower(b); });
}

bool ServedName::is_misdirected(std::string_view host) const {
  return has_sni() && !is_for(host) && !is_covered(leaf_, host);
}

}  // namespace spliced::tls
