// SPDX-License-Identifier: Apache-2.0
// See token_key.hpp.
#include "tls/token_key.hpp"

#include <dlfcn.h>
#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <stdlib.h>
#include <unistd.h>

#include <map>
#include <mutex>

#include "tls/key_health.hpp"
#include "tls/token_uri.hpp"

namespace spliced::tls {
namespace {

#if defined(__x86_64__)
#define SPLICED_TRIPLET "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define SPLICED_TRIPLET "aarch64-linux-gnu"
#else
#define SPLICED_TRIPLET "arm-linux-gnueabihf"
#endif

constexpr size_t kModulesMax = 4;  // PKCS #11 modules of a process
constexpr size_t kKeysMax = 64;    // keys that are remembered

constexpr const char* kLibraries[] = {"/usr/lib/" SPLICED_TRIPLET, "/usr/lib", "/usr/lib64"};

// The first that is there; empty: none is.
std::string find_file(const std::string& below) {
  for (const char* directory : kLibraries) {
    const std::string path = directory + below;
    if (::access(path.c_str(), R_OK) == 0) return path;
  }
  return "";
}

std::string provider_path() {
  const char* modules = ::secure_getenv("OPENSSL_MODULES");
  return modules != nullptr ? std::string(modules) + "/pkcs11.so"
                            : find_file("/ossl-modules/pkcs11.so");
}

// A value of OpenSSL's configuration, where some characters have a meaning.
bool is_plain_path(const std::string& path) {
  return !path.empty() && path.front() == '/' &&
         path.find_first_of("\n\r$#\\\"'`; ") == std::string::npos;
}

// The provider and the PKCS #11 module want libcrypto.so.3, and a Node with an OpenSSL of its own
// has the same symbols, of another version: they would come first for that library's own calls too,
// and the two do not fit (measured: 3.5.9 beside 3.0.22 crashes in SHA256_Init). Loaded this way,
// the library is complete in itself. The provider still gets Node's, as it must; where Node uses
// the system's library this changes nothing.
void keep_libcrypto_apart() {
  (void)::dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
}

// A context with the provider for this module; null with `error`.
OSSL_LIB_CTX* new_context(const std::string& module, std::string& error) {
  const std::string provider = provider_path();
  if (!is_plain_path(provider) || ::access(provider.c_str(), R_OK) != 0) {
    error =
        "OpenSSL's pkcs11 provider is not there: install the package pkcs11-provider, or set "
        "OPENSSL_MODULES to the directory of its pkcs11.so";
    return nullptr;
  }
  keep_libcrypto_apart();
  OSSL_LIB_CTX* context = OSSL_LIB_CTX_new();
  const std::string text =
      "openssl_conf = all\n[all]\nproviders = providers\n[providers]\npkcs11 = pkcs11\n[pkcs11]\n"
      "module = " +
      provider + "\npkcs11-module-path = " + module + "\nactivate = 1\n";
  const auto bio = pem_reader(text);
  CONF* configuration = context != nullptr ? NCONF_new_ex(context, nullptr) : nullptr;
  long line = 0;
  const bool loaded = configuration != nullptr && bio &&
                      NCONF_load_bio(configuration, bio.get(), &line) > 0 &&
                      CONF_modules_load(configuration, nullptr, 0) > 0 &&
                      OSSL_PROVIDER_load(context, "default") != nullptr &&
                      OSSL_PROVIDER_available(context, "pkcs11") == 1;
  NCONF_free(configuration);
  if (loaded) return context;
  error = "the provider " + provider + " cannot be loaded: " + openssl_reason();
  OSSL_LIB_CTX_free(context);
  return nullptr;
}

// By module, as long as the process lives: a provider's keys may be anywhere.
OSSL_LIB_CTX* context_of(const std::string& module, std::string& error) {
  static std::mutex mutex;
  static auto* contexts = new std::map<std::string, OSSL_LIB_CTX*>();
  std::lock_guard<std::mutex> lock(mutex);
  const auto known = contexts->find(module);
  if (known != contexts->end()) return known->second;
  if (contexts->size() >= kModulesMax) {
    error = "there are more PKCS #11 modules than " + std::to_string(kModulesMax);
    return nullptr;
  }
  OSSL_LIB_CTX* context = new_context(module, error);
  if (context != nullptr) contexts->emplace(module, context);
  return context;
}

std::string module_of(const TokenUri& uri) {
  return uri.module_path.empty() ? find_file("/p11-kit-proxy.so") : uri.module_path;
}

// `is_absent`: the token answered, and has no such key.
KeyPtr ask_token(const TokenUri& uri, std::string& error, bool* is_absent = nullptr) {
  const std::string module = module_of(uri);
  if (!is_plain_path(module) || ::access(module.c_str(), R_OK) != 0) {
    error = "the PKCS #11 module " + (module.empty() ? "p11-kit-proxy.so" : module) +
            " is not there: name it in the reference, as ?module-path=/usr/lib/…/module.so";
    return nullptr;
  }
  ERR_clear_error();
  OSSL_LIB_CTX* context = context_of(module, error);
  if (context == nullptr) return nullptr;
  KeyPtr key;
  OSSL_STORE_CTX* store = OSSL_STORE_open_ex(uri.for_provider.c_str(), context, nullptr, nullptr,
                                             nullptr, nullptr, nullptr, nullptr);
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
  if (is_absent != nullptr) *is_absent = opened && !key && ERR_peek_last_error() == 0;
  const std::string reason = ERR_peek_last_error() != 0 ? " (" + openssl_reason() + ")" : "";
  if (!key)
    error = opened ? "the module " + module + " has no key for " + uri.shown + reason +
                         ": look whether the token is there, the object has this name, and the PIN "
                         "of pin-source is right"
                   : "the module " + module + " does not start, or there is no PIN" + reason +
                         ": look whether its device and the file of pin-source are there, and the "
                         "service may use them";
  return key;
}

std::mutex keys_mutex;  // never held while a token is asked

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
  if (keys().size() >= kKeysMax) keys().clear();  // who has one keeps it
  keys()[uri] = share(key);
  health_of_key(uri)->succeeded();
  return key;
}

// The provider's own parameters (provider-pkcs11(7)) beside OpenSSL's.
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
  return uri.shown.find("token=") != std::string::npos &&
         uri.shown.find("object=") != std::string::npos;
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
  static std::mutex one_at_a_time;  // or two that ask at once would make two
  std::lock_guard<std::mutex> lock(one_at_a_time);
  bool is_absent = false;
  if (ask_token(parsed, error, &is_absent)) return 0;
  if (!is_absent) return -1;
  OSSL_LIB_CTX* context = context_of(module_of(parsed), error);
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
  return text.rfind("pkcs11:", 0) == 0;
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
