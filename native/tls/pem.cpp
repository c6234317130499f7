// SPDX-License-Identifier: Apache-2.0
// See pem.hpp.
#include "tls/pem.hpp"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <time.h>

namespace spliced::tls {

std::unique_ptr<BIO, Free> pem_reader(const std::string& pem) {
  return std::unique_ptr<BIO, Free>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

int no_pass_phrase(char*, int, int, void*) {
  return 0;
}

std::string openssl_reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = ERR_reason_error_string(code);
  ERR_clear_error();
  return reason != nullptr ? reason : "unknown reason";
}

std::string openssl_first_reason() {
  const char* data = "";
  int flags = 0;
  const unsigned long code = ERR_peek_error_all(nullptr, nullptr, nullptr, &data, &flags);
  const char* reason = ERR_reason_error_string(code);
  std::string text = reason != nullptr ? reason : "";
  if ((flags & ERR_TXT_STRING) != 0 && *data != 0)
    text += (text.empty() ? "" : ": ") + std::string(data);
  return text.empty() ? "unknown reason" : text;
}

bool end_of_pem() {
  const unsigned long code = ERR_peek_last_error();
  const bool end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
  if (end) ERR_clear_error();
  return end;
}

int64_t seconds_of(const ASN1_TIME* time) {
  struct tm parts {};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return INT64_MAX;
  return static_cast<int64_t>(::timegm(&parts));
}

}  // namespace spliced::tls
