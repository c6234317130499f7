// SPDX-License-Identifier: Apache-2.0
// Reading PEM texts with OpenSSL: what context.cpp and client_trust.cpp share. For tls/ alone.
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

// Over the text's own memory, which must outlive it.
std::unique_ptr<BIO, Free> pem_reader(const std::string& pem);
// For the PEM functions: what asks for a pass phrase is refused instead of asking on the terminal.
int no_pass_phrase(char* out, int capacity, int writing, void* argument);
// The reason of the last error, in OpenSSL's words; empties the queue.
std::string openssl_reason();
// The reason of the first error, with what its origin added, for what a module below OpenSSL says;
// leaves the queue.
std::string openssl_first_reason();
// After a PEM function gave null: nothing more is there, as against something broken. Empties the
// queue then.
bool end_of_pem();
// Seconds since the epoch; INT64_MAX for no time at all, and for one that cannot be read.
int64_t seconds_of(const ASN1_TIME* time);

}  // namespace spliced::tls
