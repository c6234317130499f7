// SPDX-License-Identifier: Apache-2.0
// What is kept of a client's verified certificate after the SSL object is freed: for access rules,
// and for backends and logs that name the client. session.cpp makes it at the end of a handshake.
// The connection owns it, and holds only a null pointer if there is none.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "tls/client_trust.hpp"

typedef struct x509_st X509;
typedef struct X509_name_st X509_NAME;

namespace spliced::tls {

struct ClientIdentity {
  static constexpr size_t kSubjectBytesMax = 512;
  static constexpr size_t kSerialBytesMax = 20;  // RFC 5280 4.1.2.2

  std::string subject;               // RFC 4514, most specific first; visible ASCII and spaces
  std::string serial;                // upper-case hexadecimal, two digits a byte, not empty
  std::array<uint8_t, 32> sha256{};  // of the whole certificate
  TrustId trust{};                   // of the settings under which it was verified
};

// Fills everything but `trust`. False: the subject is longer than kSubjectBytesMax or contains a
// NUL (which other readers truncate at or refuse), or the serial number is too long or negative.
bool identify(const X509* certificate, ClientIdentity& out);

// Formats a name as in RFC 4514 2; control characters and those beyond ASCII are escaped.
std::string distinguished_name(const X509_NAME* name);

}  // namespace spliced::tls
