// SPDX-License-Identifier: Apache-2.0
// tls/client_identity: what is kept of a certificate, and which are refused for what they are
// called. With a libcrypto of its own: the addon uses Node's.
#include "tls/client_identity.hpp"

#include <openssl/asn1.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <ostream>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "tls/pem.hpp"

using namespace spliced::tls;

namespace {

struct Attribute {
  const char* type;
  std::string value;
  int encoding = MBSTRING_UTF8;
};

std::unique_ptr<X509, Free> certificate(const std::vector<Attribute>& subject,
                                        const std::string& serial = "4001") {
  static const std::unique_ptr<EVP_PKEY, Free> key(EVP_EC_gen("P-256"));
  std::unique_ptr<X509, Free> made(X509_new());
  X509_NAME* name = X509_get_subject_name(made.get());
  for (const Attribute& attribute : subject) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(attribute.value.data());
    REQUIRE(X509_NAME_add_entry_by_txt(name, attribute.type, attribute.encoding, bytes,
                                       static_cast<int>(attribute.value.size()), -1, 0) == 1);
  }
  BIGNUM* number = nullptr;
  REQUIRE(BN_hex2bn(&number, serial.c_str()) > 0);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(made.get()));
  BN_free(number);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 60);
  X509_set_pubkey(made.get(), key.get());
  REQUIRE(X509_sign(made.get(), key.get(), EVP_sha256()) > 0);
  return made;
}

// The subject as it is kept; "refused" when it is not.
std::string subject_of(const std::vector<Attribute>& subject) {
  ClientIdentity identity;
  return identify(certificate(subject).get(), identity) ? identity.subject : "refused";
}

}  // namespace

TEST_CASE("identity: the subject is RFC 4514 text, plain ASCII") {
  CHECK(subject_of({{"C", "CH"}, {"O", "Works"}, {"CN", "unit 7"}}) == "CN=unit 7,O=Works,C=CH");
  CHECK(subject_of({{"CN", "a,b+c\"d\\e<f>g;h"}}) == "CN=a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h");
  CHECK(subject_of({{"CN", " #x "}}) == "CN=\\ #x\\ ");
  CHECK(subject_of({{"CN", "Z\xc3\xbcrich"}}) == "CN=Z\\C3\\BCrich");
  CHECK(subject_of({{"CN", "a\r\nX-Forged: 1"}}) == "CN=a\\0D\\0AX-Forged: 1");
  CHECK(subject_of({{"CN", "a\x7f"}}) == "CN=a\\7F");
  CHECK(subject_of({}) == "");
}

TEST_CASE("identity: a NUL in the subject is refused, in every encoding") {
  const std::string with_nul("admin\0.example", 14);
  CHECK(subject_of({{"CN", with_nul}}) == "refused");
  CHECK(subject_of({{"O", "fine"}, {"CN", with_nul}, {"OU", "fine"}}) == "refused");
  CHECK(subject_of({{"CN", with_nul, V_ASN1_IA5STRING}}) == "refused");
  CHECK(subject_of({{"CN", std::string("\0a\0\0", 4), V_ASN1_BMPSTRING}}) == "refused");
  CHECK(subject_of({{"CN", std::string("\0a\0b", 4), V_ASN1_BMPSTRING}}) == "CN=ab");
}

TEST_CASE("identity: the subject is bounded by what is kept, escapes included") {
  const auto with = [](size_t bytes) {  // "OU=" and "," take 4 an attribute, "CN=" takes 3
    std::vector<Attribute> subject(8, {"OU", std::string(57, 'x')});
    subject.push_back({"CN", std::string(bytes - 8 * 61 - 3, 'y')});
    return subject;
  };
  CHECK(subject_of(with(ClientIdentity::kSubjectBytesMax)).size() == 512);
  CHECK(subject_of(with(ClientIdentity::kSubjectBytesMax + 1)) == "refused");
  CHECK(subject_of(std::vector<Attribute>(5, {"OU", std::string(36, '\x01')})) == "refused");
}

TEST_CASE("identity: serial number and fingerprint") {
  ClientIdentity identity;
  const auto plain = certificate({{"CN", "a"}}, "0A00FF");
  REQUIRE(identify(plain.get(), identity));
  CHECK(identity.serial == "0A00FF");
  unsigned char digest[32];
  unsigned int bytes = 0;
  REQUIRE(X509_digest(plain.get(), EVP_sha256(), digest, &bytes) == 1);
  CHECK(std::equal(digest, digest + sizeof digest, identity.sha256.begin()));

  std::string longest;
  for (size_t i = 0; i < ClientIdentity::kSerialBytesMax; i++) longest += "7F";
  REQUIRE(identify(certificate({{"CN", "a"}}, longest).get(), identity));
  CHECK(identity.serial == longest);
  CHECK(!identify(certificate({{"CN", "a"}}, longest + "7F").get(), identity));
  CHECK(!identify(certificate({{"CN", "a"}}, "-05").get(), identity));
  REQUIRE(identify(certificate({{"CN", "a"}}, "0").get(), identity));
  CHECK(identity.serial == "00");
}
