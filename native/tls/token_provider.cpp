// SPDX-License-Identifier: Apache-2.0
// See token_provider.hpp.
#include "tls/token_provider.hpp"

#include <dlfcn.h>
#include <openssl/conf.h>
#include <openssl/provider.h>
#include <stdlib.h>
#include <unistd.h>

#include <map>
#include <mutex>

#include "tls/pem.hpp"

namespace spliced::tls {
namespace {

#if defined(__x86_64__)
#define SPLICED_TRIPLET "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define SPLICED_TRIPLET "aarch64-linux-gnu"
#else
#define SPLICED_TRIPLET "arm-linux-gnueabihf"
#endif

constexpr size_t kContextsMax = 5;  // four PKCS #11 modules in a process, and its TPM

// A provider, and the name of its package.
struct Provider {
  const char* name;
  const char* package;
};
constexpr Provider kPkcs11{"pkcs11", "pkcs11-provider"}, kTpm2{"tpm2", "tpm2-openssl"};

constexpr const char* kLibraries[] = {"/usr/lib/" SPLICED_TRIPLET, "/usr/lib", "/usr/lib64"};

// The first of the files that exists; empty: none does.
std::string find_file(const std::string& below) {
  for (const char* directory : kLibraries) {
    const std::string path = directory + below;
    if (::access(path.c_str(), R_OK) == 0) return path;
  }
  return "";
}

std::string provider_path(const Provider& provider) {
  const std::string file = std::string("/") + provider.name + ".so";
  const char* modules = ::secure_getenv("OPENSSL_MODULES");
  return modules != nullptr ? modules + file : find_file("/ossl-modules" + file);
}

// Whether a path has none of the characters with a meaning in OpenSSL's configuration.
bool is_plain_path(const std::string& path) {
  return !path.empty() && path.front() == '/' &&
         path.find_first_of("\n\r$#\\\"'`; ") == std::string::npos;
}

// The provider and the PKCS #11 module need libcrypto.so.3. A Node with an OpenSSL of its own
// exports the same symbols in another version. The library's own calls would bind to those, and the
// two do not fit (measured: 3.5.9 beside 3.0.22 crashes in SHA256_Init). Loaded in this way, the
// library binds to itself. The provider still gets Node's symbols, as it must. If Node uses the
// system's library, this changes nothing.
void keep_libcrypto_apart() {
  (void)::dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
}

// Makes a context with the provider; null with `error`. `setting`: a line of its section, or empty.
OSSL_LIB_CTX* new_context(const Provider& provider, const std::string& setting,
                          std::string& error) {
  const std::string path = provider_path(provider);
  const std::string name = provider.name;
  if (!is_plain_path(path) || ::access(path.c_str(), R_OK) != 0) {
    error = "OpenSSL's " + name + " provider is not there: install the package " +
            provider.package + ", or set OPENSSL_MODULES to the directory of its " + name + ".so";
    return nullptr;
  }
  keep_libcrypto_apart();
  OSSL_LIB_CTX* context = OSSL_LIB_CTX_new();
  const std::string text = "openssl_conf = all\n[all]\nproviders = providers\n[providers]\n" +
                           name + " = it\n[it]\nmodule = " + path + "\n" + setting +
                           "activate = 1\n";
  const auto bio = pem_reader(text);
  CONF* configuration = context != nullptr ? NCONF_new_ex(context, nullptr) : nullptr;
  long line = 0;
  const bool loaded = configuration != nullptr && bio &&
                      NCONF_load_bio(configuration, bio.get(), &line) > 0 &&
                      CONF_modules_load(configuration, nullptr, 0) > 0 &&
                      OSSL_PROVIDER_load(context, "default") != nullptr &&
                      OSSL_PROVIDER_available(context, provider.name) == 1;
  NCONF_free(configuration);
  if (loaded) return context;
  error = "the provider " + path + " cannot be loaded: " + openssl_reason();
  if (provider.name == kTpm2.name)
    error += "; it needs a TPM: /dev/tpmrm0, which the service may use (docs/KEYS.md)";
  OSSL_LIB_CTX_free(context);
  return nullptr;
}

// One for each provider and setting, for the life of the process, because a provider's keys may be
// referenced anywhere.
OSSL_LIB_CTX* context_of(const Provider& provider, const std::string& setting, std::string& error) {
  static std::mutex mutex;
  static auto* contexts = new std::map<std::string, OSSL_LIB_CTX*>();
  const std::string which = provider.name + setting;
  std::lock_guard<std::mutex> lock(mutex);
  const auto known = contexts->find(which);
  if (known != contexts->end()) return known->second;
  if (contexts->size() >= kContextsMax) {
    error = "there are more PKCS #11 modules than " + std::to_string(kContextsMax - 1);
    return nullptr;
  }
  OSSL_LIB_CTX* context = new_context(provider, setting, error);
  if (context != nullptr) contexts->emplace(which, context);
  return context;
}

}  // namespace

std::string module_of(const TokenUri& uri) {
  return uri.module_path.empty() ? find_file("/p11-kit-proxy.so") : uri.module_path;
}

OSSL_LIB_CTX* token_context(const TokenUri& uri, std::string& error) {
  if (uri.is_tpm) return context_of(kTpm2, "", error);
  const std::string module = module_of(uri);
  if (is_plain_path(module) && ::access(module.c_str(), R_OK) == 0)
    return context_of(kPkcs11, "pkcs11-module-path = " + module + "\n", error);
  error = "the PKCS #11 module " + (module.empty() ? "p11-kit-proxy.so" : module) +
          " is not there: name it in the reference, as ?module-path=/usr/lib/…/module.so";
  return nullptr;
}

}  // namespace spliced::tls
