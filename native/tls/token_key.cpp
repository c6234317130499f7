// SPDX-License-Identifier: Apache-2.0
// See token_key.hpp.
#include "tls/token_key.hpp"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "os/fd.hpp"
#include "os/socket_io.hpp"
#include "tls/key_health.hpp"
#include "tls/token_provider.hpp"
#include "tls/token_uri.hpp"

namespace spliced::tls {
namespace {

constexpr size_t kKeysMax = 64;       // keys that are remembered
constexpr size_t kPinBytesMax = 256;  // as for the pass phrase of a PEM file

// A TPM's provider asks OpenSSL for the PIN (authValue); the PKCS #11 provider reads the file
// itself.
int read_pin(char* out, int capacity, int, void* path) {
  const os::Fd file(::open(static_cast<const char*>(path), O_RDONLY | O_CLOEXEC));
  const size_t room = std::min(static_cast<size_t>(capacity), kPinBytesMax);
  const os::Moved got =
      file ? os::read_file(file.get(), 0, out, room) : os::Moved{os::Io::Eof, 0, 0};
  if (got.io != os::Io::Done) return -1;
  const void* end = ::memchr(out, '\n', got.bytes);
  return static_cast<int>(end != nullptr ? static_cast<const char*>(end) - out
                                         : static_cast<ptrdiff_t>(got.bytes));
}

std::string no_key(const TokenUri& uri, bool opened) {
  const std::string reason = ERR_peek_last_error() != 0 ? " (" + openssl_reason() + ")" : "";
  if (uri.is_tpm)
    return "the TPM has no key for " + uri.shown + reason +
           ": look whether it is made there (tpm2_getcap handles-persistent), and the PIN of "
           "pin-source is right";
  if (opened)
    return "the module " + module_of(uri) + " has no key for " + uri.shown + reason +
           ": look whether the token is there, the object has this name, and the PIN of pin-source "
           "is right";
  return "the module " + module_of(uri) + " does not start, or there is no PIN" + reason +
         ": look whether its device and the file of pin-source are there, and the service may use "
         "them";
}

// `is_absent`: the token answered that it has no such key.
KeyPtr ask_token(const TokenUri& uri, std::string& error, bool* is_absent = nullptr) {
  ERR_clear_error();
  OSSL_LIB_CTX* context = token_context(uri, error);
  if (context == nullptr) return nullptr;
  KeyPtr key;
  UI_METHOD* asking = uri.is_tpm ? UI_UTIL_wrap_read_pem_callback(read_pin, 0) : nullptr;
  std::string pin_file = uri.pin_file;
  OSSL_STORE_CTX* store = OSSL_STORE_open_ex(uri.for_provider.c_str(), context, nullptr, asking,
                                             pin_file.data(), nullptr, nullptr, nullptr);
  const bool opened = store != nullptr;
  if (opened) OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
  while (opened && !key && OSSL_STORE_eof(store) == 0) {
    OSSL_STORE_INFO* info = OSSL_STORE_load(store);
    if (info == nullptr) break;
    if (OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
      key.reset(OSSL_STORE_INFO_get1_PKEY(info));
    OSSL_STORE_INFO_free(info);
  }
  OSSL_STORE_close(store);
  UI_destroy_method(asking);
  if (is_absent != nullptr) *is_absent = opened && !key && ERR_peek_last_error() == 0;
  if (!key) error = no_key(uri, opened);
  return key;
}

std::mutex keys_mutex;  // never held while the token works

std::map<std::string, KeyPtr>& keys() {
  static auto* all = new std::map<std::string, KeyPtr>();
  return *all;
}

KeyPtr share(const KeyPtr& key) {
  EVP_PKEY_up_ref(key.get());
  return KeyPtr(key.get());
}

KeyPtr ask_again(const std::string& uri, std::string& error) {
  TokenUri parsed;
  if (!parse_token_uri(uri, parsed, error)) return nullptr;
  KeyPtr key = ask_token(parsed, error);
  if (!key) return nullptr;
  std::lock_guard<std::mutex> lock(keys_mutex);
  if (keys().size() >= kKeysMax) keys().clear();  // users keep theirs
  keys()[uri] = share(key);
  health_of_key(uri)->succeeded();
  return key;
}

// Uses the provider's own parameters (provider-pkcs11(7)) and OpenSSL's.
bool generate(OSSL_LIB_CTX* context, const TokenUri& uri, const std::string& kind) {
  const bool is_rsa = kind.rfind("RSA-", 0) == 0;
  EVP_PKEY_CTX* maker =
      EVP_PKEY_CTX_new_from_name(context, is_rsa ? "RSA" : "EC", "provider=pkcs11");
  size_t bits = is_rsa ? static_cast<size_t>(::strtoul(kind.c_str() + 4, nullptr, 10)) : 0;
  std::string place = uri.for_provider, usage = "digitalSignature", group = kind;
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string("pkcs11_uri", place.data(), 0),
      OSSL_PARAM_construct_utf8_string("pkcs11_key_usage", usage.data(), 0),
      is_rsa ? OSSL_PARAM_construct_size_t("bits", &bits)
             : OSSL_PARAM_construct_utf8_string("group", group.data(), 0),
      OSSL_PARAM_construct_end()};
  EVP_PKEY* made = nullptr;
  const bool is_made = maker != nullptr && EVP_PKEY_keygen_init(maker) > 0 &&
                       EVP_PKEY_CTX_set_params(maker, parameters) > 0 &&
                       EVP_PKEY_keygen(maker, &made) > 0;
  EVP_PKEY_free(made);
  EVP_PKEY_CTX_free(maker);
  return is_made;
}

bool names_place(const TokenUri& uri) {
  return uri.is_tpm || (uri.shown.find("token=") != std::string::npos &&
                        uri.shown.find("object=") != std::string::npos);
}

bool is_kind(const std::string& text) {
  for (const char* kind : {"P-256", "P-384", "RSA-2048", "RSA-3072", "RSA-4096"})
    if (text == kind) return true;
  return false;
}

}  // namespace

int make_key(const std::string& uri, const std::string& kind, std::string& error) {
  TokenUri parsed;
  if (!parse_token_uri(uri, parsed, error)) return -1;
  if (!is_kind(kind)) {
    error = "a key is of the kind P-256, P-384, RSA-2048, RSA-3072 or RSA-4096";
    return -1;
  }
  if (!names_place(parsed)) {
    error = "say where the key is to be made: pkcs11:token=...;object=...";
    return -1;
  }
  static std::mutex one_at_a_time;  // two callers at once would make two keys
  std::lock_guard<std::mutex> lock(one_at_a_time);
  bool is_absent = false;
  if (ask_token(parsed, error, &is_absent)) return 0;
  if (parsed.is_tpm) {
    error += "; a key of a TPM is made by tpm2-tools (docs/KEYS.md)";
    return -1;
  }
  if (!is_absent) return -1;
  OSSL_LIB_CTX* context = token_context(parsed, error);
  if (context == nullptr) return -1;
  error.clear();
  ERR_clear_error();
  if (generate(context, parsed, kind)) return 1;
  error = "the token makes no key for " + parsed.shown + " (" + openssl_first_reason() +
          "): look whether the token is there, and the PIN of pin-source is right";
  ERR_clear_error();
  return -1;
}

bool is_key_reference(const std::string& text) {
  return text.rfind("pkcs11:", 0) == 0 || text.rfind("handle:", 0) == 0;
}

KeyPtr referenced_key(const std::string& uri, std::string& error) {
  {
    std::lock_guard<std::mutex> lock(keys_mutex);
    const auto known = keys().find(uri);
    if (known != keys().end()) return share(known->second);
  }
  return ask_again(uri, error);
}

int match_reference(const std::string& uri, const std::vector<std::string>& certificates,
                    std::string& error) {
  const KeyPtr key = ask_again(uri, error);
  if (!key) return -2;
  int found = -1;
  for (size_t i = 0; i < certificates.size() && found < 0; i++) {
    const auto bio = pem_reader(certificates[i]);
    const std::unique_ptr<X509, Free> certificate(
        PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, nullptr));
    if (certificate && X509_check_private_key(certificate.get(), key.get()) == 1)
      found = static_cast<int>(i);
  }
  ERR_clear_error();
  return found;
}

}  // namespace spliced::tls
