// SPDX-License-Identifier: Apache-2.0
// The names for which a connection was made: the one that the client sent in the handshake (SNI,
// RFC 6066 3), and those of the certificate that it got. Over HTTP/2 a client may use a connection
// for other names (RFC 9113 9.1.1). session.cpp makes it at the end of a handshake; it outlives the
// SSL object. Immutable.
#pragma once
#include <memory>
#include <string>
#include <string_view>

typedef struct ssl_st SSL;
typedef struct x509_st X509;

namespace spliced::tls {

class ServedName {
 public:
  // `leaf` is shared, not taken over. Null: no certificate names.
  ServedName(std::string_view sni, X509* leaf, bool asked_for_certificate);
  ~ServedName();
  ServedName(const ServedName&) = delete;
  ServedName& operator=(const ServedName&) = delete;

  // `host`: a name or an address, without a port; an IPv6 address with or without brackets.

  // Whether the client sent another name in SNI and the certificate is not valid for `host`. False
  // without SNI, because then it is unknown which name the client means.
  bool is_misdirected(std::string_view host) const;
  // Whether the client sent this very name in SNI.
  bool is_for(std::string_view host) const;
  bool has_sni() const { return !sni_.empty(); }
  // Whether a client certificate was requested, so that the client could have sent one.
  bool asked_for_certificate() const { return asked_for_certificate_; }

 private:
  const std::string sni_;  // without a root's dot
  X509* const leaf_;
  const bool asked_for_certificate_;
};

}  // namespace spliced::tls
