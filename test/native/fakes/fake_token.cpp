// SPDX-License-Identifier: Apache-2.0
// See fake_token.hpp. libssl makes each signature by EVP_DigestSign(), and finds the one here
// before libcrypto's.
#include "fakes/fake_token.hpp"

#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <condition_variable>
#include <map>
#include <mutex>

#include "fakes/certificate.hpp"
#include "tls/token_key.hpp"

namespace spliced::fakes {
namespace {

std::mutex mutex;
std::condition_variable changed;
Mood mood = Mood::Signs;
size_t asked = 0, inside = 0;

std::map<std::string, tls::KeyPtr>& keys() {
  static std::map<std::string, tls::KeyPtr> all;
  return all;
}

bool is_in_token(const EVP_PKEY* key) {
  for (const auto& [uri, one] : keys())
    if (one.get() == key) return true;
  return false;
}

bool pass_gate(const EVP_PKEY* key) {
  std::unique_lock<std::mutex> lock(mutex);
  if (!is_in_token(key)) return true;
  asked++;
  inside++;
  changed.wait(lock, [] { return mood != Mood::Waits; });
  inside--;
  return mood == Mood::Signs;
}

}  // namespace

void set_token(Mood next) {
  std::lock_guard<std::mutex> lock(mutex);
  mood = next;
  asked = 0;
  changed.notify_all();
}
size_t token_asked() {
  std::lock_guard<std::mutex> lock(mutex);
  return asked;
}
size_t token_inside() {
  std::lock_guard<std::mutex> lock(mutex);
  return inside;
}

tls::CertificatePem new_token_certificate(const char* name, const char* scheme) {
  tls::CertificatePem pem = new_certificate(name);
  const auto bio = tls::pem_reader(pem.private_key);
  std::lock_guard<std::mutex> lock(mutex);
  const std::string uri =
      scheme + ("object=" + std::to_string(keys().size())) + "?pin-source=file:/pin";
  keys()[uri].reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  pem.private_key = uri;
  return pem;
}

}  // namespace spliced::fakes

extern "C" int EVP_DigestSign(EVP_MD_CTX* context, unsigned char* out, size_t* bytes,
                              const unsigned char* text, size_t text_bytes) {
  static const auto real =
      reinterpret_cast<decltype(&EVP_DigestSign)>(::dlsym(RTLD_NEXT, "EVP_DigestSign"));
  const EVP_PKEY* key = EVP_PKEY_CTX_get0_pkey(EVP_MD_CTX_get_pkey_ctx(context));
  if (out != nullptr && !spliced::fakes::pass_gate(key)) return 0;
  return real(context, out, bytes, text, text_bytes);
}

namespace spliced::tls {

bool is_key_reference(const std::string& text) {
  return text.rfind("pkcs11:", 0) == 0 || text.rfind("handle:", 0) == 0;
}

KeyPtr referenced_key(const std::string& uri, std::string&) {
  EVP_PKEY* key = fakes::keys().at(uri).get();
  EVP_PKEY_up_ref(key);
  return KeyPtr(key);
}

int make_key(const std::string&, const std::string&, std::string&) {
  return 0;
}

int match_reference(const std::string&, const std::vector<std::string>&, std::string&) {
  return -2;
}

}  // namespace spliced::tls
