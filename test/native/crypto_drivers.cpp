// SPDX-License-Identifier: Apache-2.0
// os/crypto_drivers: which entry of /proc/crypto counts.
#include "os/crypto_drivers.hpp"

#include <cstdio>
#include <ostream>
#include <string>

#include "doctest/doctest.h"

using namespace spliced::os;

namespace {

// One entry as c_show() of crypto/proc.c writes it for an aead.
std::string entry(const std::string& name, const std::string& driver, const std::string& priority,
                  const std::string& selftest = "passed", const std::string& internal = "no",
                  const std::string& async = "no") {
  return "name         : " + name + "\ndriver       : " + driver +
         "\nmodule       : kernel\npriority     : " + priority +
         "\nrefcnt       : 1\nselftest     : " + selftest + "\ninternal     : " + internal +
         "\ntype         : aead\nasync        : " + async +
         "\nblocksize    : 1\nivsize       : 12\nmaxauthsize  : 16\ngeniv        : <none>\n\n";
}

const std::string kGcm = "gcm(aes)";
const std::string kGenericName = "gcm_base(ctr(aes-generic),ghash-generic)";
const std::string kGeneric = entry(kGcm, kGenericName, "100");
const std::string kCryptd =
    entry(kGcm, "cryptd(gcm_base(ctr-aes-aesni,ghash-generic))", "150", "passed", "no", "yes");
const std::string kCaam = entry(kGcm, "gcm-aes-caam", "3000", "passed", "no", "yes");

std::string preferred(const std::string& text) {
  const auto driver = preferred_driver(text, kGcm);
  return driver ? driver->name : "none";
}

}  // namespace

TEST_CASE("crypto drivers: all that is known of the preferred one") {
  const auto driver = preferred_driver(entry("sha256", "sha256-generic", "9999") + kGeneric +
                                           kCryptd + entry("ccm(aes)", "ccm-x", "9000"),
                                       kGcm);
  REQUIRE(driver.has_value());
  CHECK(driver->name == "cryptd(gcm_base(ctr-aes-aesni,ghash-generic))");
  CHECK(driver->algorithm == kGcm);
  CHECK(driver->priority == 150);
  CHECK(driver->async);
  CHECK_FALSE(driver->internal);
}

TEST_CASE("crypto drivers: highest priority, in any order") {
  CHECK(preferred(kGeneric + kCryptd + kCaam) == "gcm-aes-caam");
  CHECK(preferred(kCaam + kGeneric + kCryptd) == "gcm-aes-caam");
  CHECK_FALSE(preferred_driver(kGeneric, kGcm)->async);
  CHECK(preferred(entry(kGcm, "negative", "-5")) == "negative");
}

TEST_CASE("crypto drivers: the first of equals (crypto/api.c, __crypto_alg_lookup)") {
  CHECK(preferred(entry(kGcm, "first", "100") + entry(kGcm, "second", "100")) == "first");
}

TEST_CASE("crypto drivers: what does not count") {
  CHECK(preferred(kGeneric + entry(kGcm, "x", "900", "unknown")) == kGenericName);
  CHECK(preferred(kGeneric + entry(kGcm, "x", "900", "passed", "yes")) == kGenericName);
  CHECK(preferred(kGeneric + entry(kGcm, "x", "")) == kGenericName);
  CHECK(preferred(kGeneric + entry(kGcm, "x", "9z")) == kGenericName);
  CHECK(preferred(kGeneric + entry(kGcm, "x", "99999999999999999999")) == kGenericName);
  CHECK(preferred(kGeneric + entry("rfc4106(gcm(aes))", "x", "900")) == kGenericName);
  const std::string larval =
      "name         : gcm(aes)\ndriver       : x\nmodule       : kernel\npriority     : 900\n"
      "refcnt       : 1\nselftest     : passed\ninternal     : no\ntype         : larval\n\n";
  CHECK(preferred(kGeneric + larval) == kGenericName);
  CHECK(preferred(larval) == "none");
}

TEST_CASE("crypto drivers: odd text") {
  CHECK(preferred("") == "none");
  CHECK(preferred("\n\n\n") == "none");
  CHECK(preferred("no colon here\n") == "none");
  CHECK(preferred("name:gcm(aes)\ndriver:x\npriority:1\nselftest:passed") == "x");
  CHECK(preferred("\n\n" + kCaam.substr(0, kCaam.size() - 2)) == "gcm-aes-caam");
}

TEST_CASE("crypto drivers: the running kernel's file, when there is one") {
  const std::string text = read_proc_crypto();
  FILE* file = std::fopen("/proc/crypto", "re");
  CHECK(text.empty() == (file == nullptr));
  if (file != nullptr) std::fclose(file);
  CHECK(text.size() <= 256 * 1024);
  if (text.empty()) return;
  CHECK(text.substr(0, 4) == "name");
  CHECK(text.substr(text.size() - 2) == "\n\n");
}
