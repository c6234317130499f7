// SPDX-License-Identifier: Apache-2.0
// What is kept of a client's verified certificate when the SSL object is gone: for the access rule,
// and for whoever has to be told who asks. Made by session.cpp at the end of a handshake; owned by
// the connection, which holds no more than a pointer where there is none.
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
  TrustId trust{};                   // of the settings that it was verified with
};

// Fills all but `trust`. False for a certificate whose subject is longer than kSubjectBytesMax or
// has a NUL, which is cut off or refused elsewhere, or whose serial number is too long or negative.
bool identify(const X509* certificate, ClientIdentity& out);

// RFC 4514 2: characters beyond ASCII and controls are escaped.
std::string distinguished_name(const X509_NAME* name);

}  // namespace spliced::tls
