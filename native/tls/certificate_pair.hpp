// SPDX-License-Identifier: Apache-2.0
// The parts of a generation of contexts, for context.cpp and certificate_choice.cpp alone.
#pragma once
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

#include "tls/context.hpp"
#include "tls/key_health.hpp"
#include "tls/pem.hpp"

namespace spliced::tls {

// A certificate with its key and the rest of its chain, as OpenSSL objects. Immutable.
struct ContextGeneration::Pair {
  std::unique_ptr<X509, Free> leaf;
  std::unique_ptr<EVP_PKEY, Free> key;
  RemoteKey remote;  // set if `key` is not in memory
  STACK_OF(X509) * chain = sk_X509_new_null();
  bool stands_alone = false;

  Pair() = default;
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() { sk_X509_pop_free(chain, X509_free); }

  int key_type() const { return EVP_PKEY_get_base_id(key.get()); }
  bool may_stand_beside(const Pair& first) const {
    return !stands_alone && !first.stands_alone && key_type() != first.key_type();
  }
  bool read_chain(const std::string& pem, std::string& error);
  bool read_key(const std::string& pem, std::string& error);
};

// Whether the certificate is valid for the name.
bool covers(X509* certificate, std::string_view name);
// Whether `other` is valid for a name or an address of `certificate`.
bool share_a_name(X509* certificate, X509* other);

}  // namespace spliced::tls
