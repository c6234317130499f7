// SPDX-License-Identifier: Apache-2.0
// Keys that are not in memory, through the whole data plane: who waits for a signature, who does
// not, and what becomes of both when the token fails. The token is fakes/fake_token.cpp's.
#include "tls/signing.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>

#include <list>
#include <string>
#include <thread>

#include "fakes/fake_token.hpp"
#include "fakes/running.hpp"

using namespace spliced;
using engine::Event;
using fakes::kPatienceMs;
using fakes::Mood;
using fakes::new_certificate;
using fakes::new_token_certificate;
using fakes::Running;
using fakes::set_token;
using fakes::token_asked;
using fakes::token_inside;

namespace {

constexpr char kName[] = "device.test";
constexpr int kInternalError = 80;  // RFC 8446 6

// A client with its own thread for the handshake, which may have to wait.
class Client {
 public:
  Client(const Running& running, int version = TLS1_3_VERSION, const char* groups = nullptr,
         const char* name = kName)
      : fd_(running.connect()) {
    REQUIRE(bool(fd_));
    context_ = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context_, version);
    SSL_CTX_set_max_proto_version(context_, version);
    if (groups != nullptr) REQUIRE(SSL_CTX_set1_groups_list(context_, groups) == 1);
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, fd_.get());
    SSL_set_tlsext_host_name(ssl_, name);
    thread_ = std::thread([this] {
      secure_ = SSL_connect(ssl_) == 1;
      const unsigned long code = ERR_peek_error();
      alert_ = secure_ ? 0 : ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET;
      ERR_clear_error();
    });
  }
  ~Client() {
    if (thread_.joinable()) leave();
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool is_secure() {
    if (thread_.joinable()) thread_.join();
    return secure_;
  }
  int alert() { return is_secure() ? 0 : alert_; }  // that ended its handshake
  void leave() {
    ::shutdown(fd_.get(), SHUT_RDWR);
    thread_.join();
  }
  // Of a request for nothing: "HTTP/1.1 404" and so on.
  std::string ask() {
    constexpr char kRequest[] = "GET /nothing/at/all HTTP/1.1\r\nHost: device.test\r\n\r\n";
    REQUIRE(SSL_write(ssl_, kRequest, sizeof kRequest - 1) > 0);
    char answer[16384];
    const int bytes = SSL_read(ssl_, answer, sizeof answer);
    return std::string(answer, static_cast<size_t>(bytes > 12 ? 12 : 0));
  }
  std::string certificate() const {
    X509* shown = SSL_get1_peer_certificate(ssl_);
    unsigned char digest[32];
    unsigned int bytes = 0;
    X509_digest(shown, EVP_sha256(), digest, &bytes);
    X509_free(shown);
    return {reinterpret_cast<char*>(digest), bytes};
  }

 private:
  os::Fd fd_;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  std::thread thread_;
  bool secure_ = false;
  int alert_ = 0;
};

uint64_t failures(const Running& running, tls::HandshakeFailure reason) {
  return running.service->engine(0).figures().handshake_failures[static_cast<size_t>(reason)].get();
}

struct Served : Running {
  explicit Served(std::vector<tls::CertificatePem> certificates)
      : Running(1, ring::Backend::Auto, std::move(certificates)) {
    ::signal(SIGPIPE, SIG_IGN);  // of the clients here, whose service may be gone
    set_token(Mood::Signs);
    start();
  }
  ~Served() {
    service->stop(0);
    CHECK(events.wait(Event::Type::Stopped));
    CHECK(service->close(kPatienceMs));
    set_token(Mood::Signs);
    CHECK(until([&] { return report().threads == 0; }));  // else they count for the next
  }
  tls::SigningPool::Report report() const { return service->signatures().report(); }
  bool failing() const {
    for (const auto& key : report().keys)
      if (key->is_failing()) return true;
    return false;
  }
};

}  // namespace

TEST_CASE("while eight wait for their signature, others have their answers") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    Served served({new_token_certificate(kName)});
    Client first(served, version);
    REQUIRE(first.is_secure());
    CHECK(served.report().made == 1);
    set_token(Mood::Waits);
    std::list<Client> eight;
    for (int i = 0; i < 8; i++) eight.emplace_back(served, version);
    CHECK(served.until([&] {
      return token_inside() == limits::kSigningThreadsPerKey &&
             served.report().waiting == 8 - limits::kSigningThreadsPerKey;
    }));
    for (int i = 0; i < 5; i++) CHECK(first.ask() == "HTTP/1.1 404");
    CHECK(token_inside() == limits::kSigningThreadsPerKey);
    CHECK(served.report().made == 1);
    set_token(Mood::Signs);
    for (Client& client : eight) CHECK(client.is_secure());
    CHECK(served.report().made == 9);
    CHECK(served.report().threads <= limits::kSigningThreadsPerKey);
    CHECK(eight.back().ask() == "HTTP/1.1 404");
  }
}

TEST_CASE("a TPM's key signs one at a time, and a token's key beside it does not wait for that") {
  Served served({new_token_certificate(kName, "handle:"), new_token_certificate("other.test")});
  set_token(Mood::Waits);
  std::list<Client> clients;
  for (int i = 0; i < 3; i++) clients.emplace_back(served);
  CHECK(served.until([&] { return token_inside() == 1 && served.report().waiting == 2; }));
  CHECK(served.report().threads == 1);
  for (int i = 0; i < 2; i++) clients.emplace_back(served, TLS1_3_VERSION, nullptr, "other.test");
  CHECK(served.until([&] { return token_inside() == 3; }));
  CHECK(served.report().waiting == 2);
  CHECK(served.report().threads == 3);
  set_token(Mood::Signs);
  for (Client& client : clients) CHECK(client.is_secure());
  CHECK(served.report().made == 5);
  CHECK(served.report().failed == 0);
}

TEST_CASE("a key in memory waits for no token, though its neighbour's hangs") {
  Served served({new_token_certificate(kName), new_certificate("other.test")});
  set_token(Mood::Waits);
  Client waits(served);
  CHECK(served.until([] { return token_inside() == 1; }));
  Client other(served, TLS1_3_VERSION, nullptr, "other.test");
  CHECK(other.is_secure());
  CHECK(token_inside() == 1);
}

TEST_CASE("who leaves needs no signature, and who stays is not held up by that") {
  Served served({new_token_certificate(kName)});
  set_token(Mood::Waits);
  std::list<Client> all;
  for (int i = 0; i < 8; i++) all.emplace_back(served);
  CHECK(served.until([&] {
    return token_inside() == limits::kSigningThreadsPerKey && served.report().waiting == 4;
  }));
  for (Client& client : all) client.leave();
  CHECK(served.until([&] { return served.report().waiting == 0 && served.open() == 0; }));
  CHECK(token_asked() == limits::kSigningThreadsPerKey);
  // The engine counts after it has closed.
  CHECK(served.until([&] { return failures(served, tls::HandshakeFailure::PeerClosed) == 8; }));
  set_token(Mood::Signs);
  CHECK(Client(served).is_secure());
}

TEST_CASE("a client that is asked for another key share costs one signature") {
  Served served({new_token_certificate(kName)});
  Client client(served, TLS1_3_VERSION, "P-521:X25519");
  CHECK(client.is_secure());
  CHECK(served.report().made == 1);
  CHECK(token_asked() == 1);
}

TEST_CASE("a token that hangs for ever: alerts, bounded threads, and the service stops") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    Served served({new_token_certificate(kName)});
    Client runs(served, version);
    REQUIRE(runs.is_secure());
    set_token(Mood::Waits);
    std::list<Client> waiting;
    for (int i = 0; i < 6; i++) waiting.emplace_back(served, version);
    CHECK(served.until([&] { return served.report().hanging == limits::kSigningThreadsPerKey; }));
    CHECK(runs.ask() == "HTTP/1.1 404");
    // The first that comes now finds out, for those too that have waited for a thread.
    CHECK(Client(served, version).alert() == kInternalError);
    CHECK(served.failing());
    CHECK(served.report().waiting == 0);
    for (Client& client : waiting) CHECK(client.alert() == kInternalError);
    // A client has its alert before the engine counts it.
    CHECK(served.until([&] { return failures(served, tls::HandshakeFailure::Signature) == 7; }));
    CHECK(token_asked() == limits::kSigningThreadsPerKey);
    CHECK(served.report().threads == limits::kSigningThreadsPerKey);
    CHECK(served.service->status_json().find("\"key\":\"pkcs11:object=") != std::string::npos);
    CHECK(served.service->status_json().find("pin-source") == std::string::npos);
    CHECK(runs.ask() == "HTTP/1.1 404");
  }
}

TEST_CASE("a token that comes back is used again") {
  Served served({new_token_certificate(kName)});
  set_token(Mood::Waits);
  Client first(served);
  CHECK(served.until([&] { return served.report().hanging == 1; }));
  CHECK(Client(served).alert() == kInternalError);
  CHECK(served.failing());
  set_token(Mood::Signs);
  CHECK(first.is_secure());
  CHECK(served.until([&] { return !served.failing(); }));
  CHECK(Client(served).is_secure());
}

TEST_CASE("a key that fails: an alert, a trial, and then the certificate with a key in memory") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    const tls::CertificatePem in_token = new_token_certificate(kName);
    Served served({in_token, new_certificate(kName)});
    Client before(served, version);
    REQUIRE(before.is_secure());
    set_token(Mood::Fails);
    Client refused(served, version);
    CHECK(refused.alert() == kInternalError);
    CHECK(served.until([&] { return failures(served, tls::HandshakeFailure::Signature) == 1; }));
    CHECK(served.until([&] { return served.failing(); }));
    CHECK(token_asked() == 2);  // the handshake's, and the trial
    Client after(served, version);
    CHECK(after.is_secure());
    CHECK(after.certificate() != before.certificate());
    CHECK(token_asked() == 2);
    // The client is through before the engine is.
    CHECK(served.until([&] {
      return served.service->engine(0).figures().certificates_taken_over.get() == 1;
    }));
    // Whoever looks after it says that it is well again.
    set_token(Mood::Signs);
    tls::health_of_key(in_token.private_key)->succeeded();
    Client again(served, version);
    CHECK(again.is_secure());
    CHECK(again.certificate() == before.certificate());
  }
}

TEST_CASE("without another certificate a key that fails is tried by one at a time") {
  Served served({new_token_certificate(kName)});
  set_token(Mood::Fails);
  CHECK(Client(served).alert() == kInternalError);
  CHECK(served.until([&] { return served.failing(); }));
  for (int i = 0; i < 3; i++) CHECK(Client(served).alert() == kInternalError);
  CHECK(served.report().turned_away == 3);
  CHECK(token_asked() == 2);
}

TEST_CASE("a failing key: pauses double, and after a word about its PIN nobody tries") {
  tls::KeyHealth key("pkcs11:object=x");
  CHECK(key.may_try(0));
  uint64_t now_ms = 1'000;
  for (uint64_t pause_ms = limits::kKeyPauseMs; pause_ms < limits::kKeyPauseMsMax; pause_ms *= 2) {
    key.failed("it is gone", now_ms);
    CHECK_FALSE(key.may_try(now_ms + pause_ms - 1));
    CHECK(key.may_try(now_ms + pause_ms));
    CHECK_FALSE(key.may_try(now_ms + pause_ms));
    now_ms += pause_ms;
  }
  key.failed("it is gone", now_ms);
  CHECK(key.may_try(now_ms + limits::kKeyPauseMsMax));
  CHECK(key.report().since_ms == 1'000);
  key.failed("PIN incorrect", now_ms);
  CHECK_FALSE(key.may_try(now_ms + 1'000'000'000));
  key.succeeded();
  CHECK(key.may_try(now_ms));
  CHECK_FALSE(key.is_failing());
}
