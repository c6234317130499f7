// SPDX-License-Identifier: Apache-2.0
// tls/served_name: which names a connection is for, by its SNI and by certificates of every kind of
// name. With a libcrypto of its own: the addon uses Node's.
#include "tls/served_name.hpp"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <ostream>
#include <string>

#include "doctest/doctest.h"
#include "fakes/certificate.hpp"
#include "tls/pem.hpp"

using namespace spliced;
using tls::ServedName;

namespace {

// `names`: as openssl-x509v3_config(5) has them, without the first one's "DNS:"; null: it has none.
std::unique_ptr<X509, tls::Free> leaf_for(const char* names) {
  const std::string chain = fakes::new_certificate(names).chain;
  const auto bio = tls::pem_reader(chain);
  return std::unique_ptr<X509, tls::Free>(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

constexpr const char* kNames =
    "device.example,DNS:*.site.example,DNS:w*.part.example,IP:192.0.2.7,IP:2001:db8::7";

bool refuses(const char* sni, const char* names, std::string_view host) {
  const auto leaf = leaf_for(names);
  return ServedName(sni, leaf.get(), false).is_misdirected(host);
}

}  // namespace

TEST_CASE("a name that is asked for twice is always right") {
  for (const char* host : {"box.local", "BOX.local", "box.local.", "Box.Local."})
    CHECK_FALSE(refuses("box.local", kNames, host));
  CHECK_FALSE(refuses("BOX.local.", nullptr, "box.local"));
  CHECK_FALSE(ServedName("box.local", nullptr, false).is_misdirected("box.local"));
}

TEST_CASE("another name is right where the certificate has it") {
  for (const char* host : {"device.example", "DEVICE.example", "device.example.", "a.site.example",
                           "A.Site.Example", "192.0.2.7", "[2001:db8::7]", "[2001:DB8:0::7]"}) {
    CAPTURE(host);
    CHECK_FALSE(refuses("box.local", kNames, host));
  }
}

TEST_CASE("another name that it has not is misdirected") {
  for (const char* host :
       {"other.example", "site.example", "a.b.site.example", ".site.example", "*.site.example",
        "xdevice.example", "device.example.org", "device", "www.part.example", "192.0.2.8",
        "192.0.2.70", "[2001:db8::8]", "2001:db8::8", "[]", "[", "", ".", "localhost"}) {
    CAPTURE(host);
    CHECK(refuses("box.local", kNames, host));
  }
  CHECK(refuses("box.local", nullptr, "device.example"));
  CHECK(ServedName("box.local", nullptr, false).is_misdirected("device.example"));
  CHECK(refuses("device.example", "device.example", "192.0.2.7"));
}

TEST_CASE("who has named nothing may ask for everything") {
  for (const char* host : {"device.example", "other.example", "192.0.2.9", "[::1]", ""})
    CHECK_FALSE(refuses("", kNames, host));
  CHECK_FALSE(ServedName("", nullptr, false).has_sni());
}

TEST_CASE("the leaf outlives whom it came from") {
  auto leaf = leaf_for(kNames);
  const ServedName name("box.local", leaf.get(), true);
  leaf.reset();
  CHECK_FALSE(name.is_misdirected("device.example"));
  CHECK(name.asked_for_certificate());
  CHECK(name.is_for("box.local."));
  CHECK_FALSE(name.is_for("device.example"));
}
