// SPDX-License-Identifier: Apache-2.0
// Chooses the certificate of a handshake from its generation: by the name in SNI, and by whether a
// key that is not in memory signs at all.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "tls/certificate_pair.hpp"

namespace spliced::tls {

// A trailing dot, in SNI or in a certificate, has no meaning here (RFC 1034 3.1). RFC 6066 3 wants
// SNI without one, but not every client knows that.
bool covers(X509* certificate, std::string_view name) {
  if (!name.empty() && name.back() == '.') name.remove_suffix(1);
  if (name.empty()) return false;  // X509_check_host would compare up to the first NUL
  if (X509_check_host(certificate, name.data(), name.size(), 0, nullptr) == 1) return true;
  const std::string rooted = std::string(name) + ".";
  return X509_check_host(certificate, rooted.data(), rooted.size(), 0, nullptr) == 1;
}

bool share_a_name(X509* certificate, X509* other) {
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  bool shared = false;
  for (int i = 0; !shared && i < sk_GENERAL_NAME_num(names); i++) {
    int type = 0;
    const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
    if (type != GEN_DNS && type != GEN_IPADD) continue;
    const auto* text = static_cast<const ASN1_STRING*>(value);
    const auto bytes = static_cast<size_t>(ASN1_STRING_length(text));
    const unsigned char* data = ASN1_STRING_get0_data(text);
    shared = type == GEN_DNS ? covers(other, {reinterpret_cast<const char*>(data), bytes})
                             : X509_check_ip(other, data, bytes, 0) == 1;
  }
  GENERAL_NAMES_free(names);
  return shared;
}

void ContextGeneration::choose(SSL* ssl, const char* name) const {
  const auto is_good = [&](const auto& pair) { return covers(pair->leaf.get(), name); };
  const auto first = std::find_if(pairs_->begin(), pairs_->end(), is_good);
  if (first == pairs_->end()) return;  // stays with the default context
  SSL_set_SSL_CTX(ssl, contexts_[static_cast<size_t>(first - pairs_->begin())]);
  std::vector<int> taken = {(*first)->key_type()};
  for (auto pair = first + 1; pair != pairs_->end(); ++pair) {
    const int type = (*pair)->key_type();
    const bool is_taken = std::find(taken.begin(), taken.end(), type) != taken.end();
    if (is_taken || !(*pair)->may_stand_beside(**first) || !is_good(*pair)) continue;
    taken.push_back(type);
    // If this fails (memory), the pairs that are set suffice.
    SSL_use_cert_and_key(ssl, (*pair)->leaf.get(), (*pair)->key.get(), (*pair)->chain, 1);
    ERR_clear_error();
  }
}

RemoteKey ContextGeneration::remote_key_of(SSL* ssl) const {
  for (int next = SSL_CERT_SET_FIRST; SSL_set_current_cert(ssl, next) == 1;
       next = SSL_CERT_SET_NEXT) {
    const EVP_PKEY* key = SSL_get_privatekey(ssl);
    for (const auto& pair : *pairs_)
      if (pair->remote.health && pair->key.get() == key) return pair->remote;
  }
  return {};
}

// One pair for each type of key, as long as it may be served beside the first.
bool ContextGeneration::choose_in_memory(SSL* ssl) const {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  const auto is_named = [&](const auto& pair) { return covers(pair->leaf.get(), name); };
  const bool known = name != nullptr && std::any_of(pairs_->begin(), pairs_->end(), is_named);
  std::vector<const Pair*> chosen;
  for (const auto& pair : *pairs_) {
    const bool is_good =
        known ? is_named(pair) : share_a_name(pairs_->front()->leaf.get(), pair->leaf.get());
    const bool has_place = std::all_of(chosen.begin(), chosen.end(), [&](const Pair* other) {
      return pair->may_stand_beside(*other);
    });
    if (!pair->remote.health && is_good && has_place) chosen.push_back(pair.get());
  }
  if (chosen.empty()) return false;
  SSL_certs_clear(ssl);
  for (const Pair* pair : chosen)
    SSL_use_cert_and_key(ssl, pair->leaf.get(), pair->key.get(), pair->chain, 1);
  ERR_clear_error();
  return true;
}

}  // namespace spliced::tls
