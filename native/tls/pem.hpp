// SPDX-License-Identifier: Apache-2.0
// Reads PEM texts with OpenSSL, for context.cpp and client_trust.cpp. For tls/ alone.
#pragma once
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cstdint>
#include <memory>
#include <string>

namespace spliced::tls {

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_CRL* list) const { X509_CRL_free(list); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

// Reads from the text itself, which must outlive the BIO.
std::unique_ptr<BIO, Free> pem_reader(const std::string& pem);
// A callback for the PEM functions: refuses a file with a pass phrase, where OpenSSL would ask on
// the terminal.
int no_pass_phrase(char* out, int capacity, int writing, void* argument);
// The reason of the last error, in OpenSSL's words. Empties the queue.
std::string openssl_reason();
// The reason of the first error, with the data that its origin added, for errors of a module below
// OpenSSL. Leaves the queue as it is.
std::string openssl_first_reason();
// To be called after a PEM function returned null: true if the text has no more entries, false if
// one is broken. Empties the queue if true.
bool end_of_pem();
// Seconds since the epoch; INT64_MAX if `time` is null or cannot be parsed.
int64_t seconds_of(const ASN1_TIME* time);

}  // namespace spliced::tls
