// SPDX-License-Identifier: Apache-2.0
// What a connection was made for: the name that its client asked for in the handshake (SNI, RFC
// 6066 3), and the certificate that it got. Over HTTP/2 a client may use a connection for other
// names (RFC 9113 9.1.1). Made by session.cpp at the end of a handshake; outlives the SSL object.
// Immutable.
#pragma once
#include <memory>
#include <string>
#include <string_view>

typedef struct ssl_st SSL;
typedef struct x509_st X509;

namespace spliced::tls {

class ServedName {
 public:
  // `leaf` may be null: then it names nobody. It is shared, not taken.
  ServedName(std::string_view sni, X509* leaf, bool asked_for_certificate);
  ~ServedName();
  ServedName(const ServedName&) = delete;
  ServedName& operator=(const ServedName&) = delete;

  // `host`: a name or an address, without a port; an IPv6 address in brackets or not.

  // The client has asked for another name, and the certificate is not for this one. Of a client
  // that has named nothing it is not known what it believes.
  bool is_misdirected(std::string_view host) const;
  // The client has asked for this very name.
  bool is_for(std::string_view host) const;
  bool has_sni() const { return !sni_.empty(); }
  // The client was asked for a certificate, and could have shown one.
  bool asked_for_certificate() const { return asked_for_certificate_; }

 private:
  const std::string sni_;  // without a root's dot
  X509* const leaf_;
  const bool asked_for_certificate_;
};

}  // namespace spliced::tls
