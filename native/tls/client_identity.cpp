// SPDX-License-Identifier: Apache-2.0
// See client_identity.hpp.
#include "tls/client_identity.hpp"

#include <openssl/asn1.h>
#include <openssl/crypto.h>
#include <openssl/x509.h>

#include <cstring>

#include "tls/pem.hpp"

namespace spliced::tls {
namespace {

// Looks at every attribute, whatever its string type. Some readers would end the name at a NUL.
bool has_nul(const X509_NAME* name) {
  for (int i = 0; i < X509_NAME_entry_count(name); i++) {
    const ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i));
    unsigned char* text = nullptr;
    const int bytes = ASN1_STRING_to_UTF8(&text, value);
    if (bytes < 0) continue;  // not a text: printed as hexadecimal
    const bool found = bytes > 0 && std::memchr(text, 0, static_cast<size_t>(bytes)) != nullptr;
    OPENSSL_free(text);
    if (found) return true;
  }
  return false;
}

std::string hexadecimal(const uint8_t* bytes, size_t count) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string text;
  for (size_t i = 0; i < count; i++) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

}  // namespace

std::string distinguished_name(const X509_NAME* name) {
  const std::unique_ptr<BIO, Free> out(BIO_new(BIO_s_mem()));
  if (!out || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(out.get(), &text);
  return bytes > 0 ? std::string(text, static_cast<size_t>(bytes)) : std::string();
}

bool identify(const X509* certificate, ClientIdentity& out) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
  const int serial_bytes = ASN1_STRING_length(serial);
  if (has_nul(subject) || serial_bytes < 1 ||
      static_cast<size_t>(serial_bytes) > ClientIdentity::kSerialBytesMax ||
      ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER)
    return false;
  out.subject = distinguished_name(subject);
  if (out.subject.size() > ClientIdentity::kSubjectBytesMax) return false;
  if (out.subject.empty() && X509_NAME_entry_count(subject) > 0) return false;  // out of memory
  out.serial = hexadecimal(ASN1_STRING_get0_data(serial), static_cast<size_t>(serial_bytes));
  unsigned int bytes = 0;
  return X509_digest(certificate, EVP_sha256(), out.sha256.data(), &bytes) == 1 &&
         bytes == out.sha256.size();
}

}  // namespace spliced::tls
