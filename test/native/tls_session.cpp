// SPDX-License-Identifier: Apache-2.0
// tls/session and tls/record_input with a libssl of their own, over a pair of sockets: what OpenSSL
// may do in a turn, what it leaves in the socket, and clients that keep it busy.
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <ostream>
#include <string>

#include "base/limits.hpp"
#include "doctest/doctest.h"
#include "fakes/certificate.hpp"
#include "tls/promote.hpp"
#include "tls/session.hpp"

using namespace spliced;
using fakes::new_certificate;
using tls::Flood;
using tls::Handshake;
using tls::Session;

namespace {

const std::shared_ptr<const tls::ContextGeneration>& generation() {
  static tls::TicketKeys tickets(0);
  static std::string error;
  static const auto made =
      tls::ContextGeneration::build({new_certificate()}, nullptr, tickets, error);
  REQUIRE(made != nullptr);
  return made;
}

struct Pair {
  int sockets[2] = {-1, -1};
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL* client = nullptr;
  BIO* sent = BIO_new(BIO_s_mem());  // of the client; deliver() takes it
  std::unique_ptr<Session> server;
  uint64_t turn = 0, now_ms = 0;

  explicit Pair(int version = TLS1_3_VERSION) {
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets) == 0);
    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
    client = SSL_new(context);
    SSL_set_bio(client, BIO_new_socket(sockets[0], BIO_NOCLOSE), sent);
    SSL_set_connect_state(client);
    server = Session::start(generation(), sockets[1]);
    REQUIRE(server != nullptr);
  }
  ~Pair() {
    server.reset();
    SSL_free(client);
    SSL_CTX_free(context);
    for (const int socket : sockets) ::close(socket);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  std::string take() {
    char* data = nullptr;
    const long bytes = BIO_get_mem_data(sent, &data);
    std::string all(data, static_cast<size_t>(bytes));
    (void)BIO_reset(sent);
    return all;
  }
  void send(const std::string& bytes) {
    REQUIRE(::send(sockets[0], bytes.data(), bytes.size(), 0) ==
            static_cast<ssize_t>(bytes.size()));
  }
  void deliver() { send(take()); }

  std::string left() const {  // in the server's socket
    char out[256];
    const ssize_t bytes = ::recv(sockets[1], out, sizeof out, MSG_PEEK);
    return std::string(out, bytes > 0 ? static_cast<size_t>(bytes) : 0);
  }

  Handshake step() {
    server->begin_turn(++turn, now_ms);
    return server->handshake();
  }
  void shake_hands() {
    while (SSL_do_handshake(client) != 1) {
      deliver();
      (void)step();
    }
    deliver();
    REQUIRE(step() == Handshake::Done);
    char byte;
    (void)SSL_read(client, &byte, 1);  // the ticket
  }
  // The end of the handshake and the first request at once; returns the latter, as on the wire.
  std::string finish_with_request() {
    while (SSL_do_handshake(client) != 1) {
      deliver();
      (void)step();
    }
    const std::string finished = take();
    REQUIRE(SSL_write(client, "GET", 3) == 3);
    const std::string request = take();
    send(finished + request);
    REQUIRE(step() == Handshake::Done);
    return request;
  }
  os::Received read() {
    char out[16384];
    return server->read(out, sizeof out);
  }
  // KeyUpdate with update_requested.
  void update_key() {
    REQUIRE(SSL_key_update(client, SSL_KEY_UPDATE_REQUESTED) == 1);
    REQUIRE(SSL_do_handshake(client) == 1);
  }
};

std::string number(size_t value, int bytes) {
  std::string text;
  while (bytes-- > 0) text += static_cast<char>(value >> 8 * bytes);
  return text;
}

size_t number_at(const std::string& from, size_t at, int bytes) {
  size_t value = 0;
  while (bytes-- > 0) value = value << 8 | static_cast<uint8_t>(from[at++]);
  return value;
}

// A handshake message in records of so many bytes.
std::string in_records(const std::string& message, size_t bytes) {
  std::string records;
  for (size_t at = 0; at < message.size(); at += bytes) {
    const std::string part = message.substr(at, bytes);
    records += "\x16\3\3" + number(part.size(), 2) + part;
  }
  return records;
}

// A ClientHello that offers one ticket (RFC 8446 4.2.11), made to offer `more` before it that are
// like it, and have another MAC.
std::string with_more_tickets(const std::string& hello, size_t more) {
  size_t at = 4 + 2 + 32;  // the header of the message, version, random
  at += 1 + number_at(hello, at, 1);
  at += 2 + number_at(hello, at, 2);
  at += 1 + number_at(hello, at, 1);
  const size_t extensions = at;
  for (at += 2; number_at(hello, at, 2) != 41;) at += 4 + number_at(hello, at + 2, 2);
  const std::string before = hello.substr(extensions + 2, at - extensions - 2);
  const size_t identities = number_at(hello, at + 4, 2);
  const std::string identity = hello.substr(at + 6, identities);
  const std::string binder = hello.substr(at + 6 + identities + 2);
  std::string other = identity, all, binders;
  other[other.size() - 4 - 1] ^= 1;
  for (size_t i = 0; i < more; i++) all += other;
  all += identity;
  for (size_t i = 0; i <= more; i++) binders += binder;
  const std::string offered = number(all.size(), 2) + all + number(binders.size(), 2) + binders;
  const std::string changed = before + number(41, 2) + number(offered.size(), 2) + offered;
  const std::string body = hello.substr(4, extensions - 4) + number(changed.size(), 2) + changed;
  return "\1" + number(body.size(), 3) + body;
}

}  // namespace

TEST_CASE("what came behind the client's Finished stays in the socket, for the kernel") {
  Pair pair;
  const std::string data = pair.finish_with_request();
  CHECK(pair.server->quiescent());
  CHECK(pair.left() == data);
}

TEST_CASE("the same of a session that TLS 1.2 resumes, where the client ends the handshake") {
  Pair first(TLS1_2_VERSION);
  first.shake_hands();
  SSL_SESSION* session = SSL_get1_session(first.client);
  Pair pair(TLS1_2_VERSION);
  REQUIRE(SSL_set_session(pair.client, session) == 1);
  SSL_SESSION_free(session);
  const std::string data = pair.finish_with_request();
  CHECK(pair.server->resumed());
  CHECK(pair.server->quiescent());
  CHECK(pair.left() == data);
}

TEST_CASE("a handshake that comes byte by byte, and what is behind it") {
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    CAPTURE(version);
    Pair pair(version);
    Handshake last = Handshake::NeedRead;
    while (SSL_do_handshake(pair.client) != 1) {
      for (const char byte : pair.take()) {
        pair.send({byte});
        last = pair.step();
      }
    }
    const std::string finished = pair.take();
    REQUIRE(SSL_write(pair.client, "GET", 3) == 3);
    const std::string data = pair.take();
    for (const char byte : finished) {
      pair.send({byte});
      last = pair.step();
    }
    pair.send(data);
    CHECK(last == Handshake::Done);
    CHECK(pair.server->quiescent());
    CHECK(pair.left() == data);
  }
}

TEST_CASE("what comes with a ClientHello at once is read in its turn") {
  Pair pair;
  REQUIRE(SSL_do_handshake(pair.client) != 1);
  // RFC 8446 5: a ChangeCipherSpec may come at any time after the ClientHello, and is dropped.
  const std::string dropped("\x14\3\3\0\1\1", 6);
  pair.send(pair.take() + dropped);
  while (SSL_do_handshake(pair.client) != 1) {
    (void)pair.step();
    pair.deliver();
  }
  pair.deliver();
  REQUIRE(pair.step() == Handshake::Done);
  CHECK(pair.server->quiescent());
  REQUIRE(SSL_write(pair.client, "GET", 3) == 3);
  pair.deliver();
  CHECK(pair.read().bytes == 3);
}

TEST_CASE("one turn takes so many records, and the next goes on") {
  Pair pair;
  pair.shake_hands();
  constexpr size_t kSent = 3 * limits::kRecordsPerTurn;
  for (size_t i = 0; i < kSent; i++) REQUIRE(SSL_write(pair.client, "x", 1) == 1);
  pair.deliver();
  size_t taken = 0;
  for (int turn = 0; turn < 3; turn++) {
    pair.server->begin_turn(++pair.turn, pair.now_ms);
    size_t now = 0;
    os::Received got;
    while ((got = pair.read()).io == os::Io::Done && got.bytes > 0) now += got.bytes;
    CHECK(now == limits::kRecordsPerTurn);
    CHECK(got.io == os::Io::Done);  // with no bytes: there may be more
    taken += now;
  }
  CHECK(taken == kSent);
  pair.server->begin_turn(++pair.turn, pair.now_ms);
  CHECK(pair.read().io == os::Io::WouldBlock);
}

TEST_CASE("a ClientHello in records of one byte has its turns, and is answered") {
  Pair pair;
  (void)SSL_do_handshake(pair.client);
  const std::string pieces = in_records(pair.take().substr(5), 1);
  pair.send(pieces);
  int busy = 0;
  Handshake step;
  while ((step = pair.step()) == Handshake::Busy) busy++;
  CHECK(step == Handshake::NeedRead);
  CHECK(busy >= static_cast<int>(pieces.size() / 6 / limits::kRecordsPerTurn));
  CHECK(SSL_do_handshake(pair.client) == 1);
  pair.deliver();
  CHECK(pair.step() == Handshake::Done);
}

TEST_CASE("KeyUpdates in a row: so many, and then the alert") {
  for (const size_t count : {limits::kRecordsWithoutDataMax - 1, size_t{5000}}) {
    Pair pair;
    pair.shake_hands();
    for (size_t i = 0; i < count; i++) pair.update_key();
    REQUIRE(SSL_write(pair.client, "x", 1) == 1);
    pair.deliver();
    os::Received got;
    size_t turns = 0;
    do {
      pair.server->begin_turn(++pair.turn, pair.now_ms);
      turns++;
    } while ((got = pair.read()).io == os::Io::Done && got.bytes == 0);
    const bool flood = count > limits::kRecordsWithoutDataMax;
    CHECK(turns <= 2);
    CHECK(got.io == (flood ? os::Io::Failed : os::Io::Done));
    CHECK(pair.server->flood().has_value() == flood);
    if (!flood) continue;
    CHECK(got.error == EBADMSG);
    CHECK(*pair.server->flood() == Flood::RecordsWithoutData);
    (void)SSL_shutdown(pair.client);
    char byte;
    CHECK(SSL_read(pair.client, &byte, 1) <= 0);
    CHECK(ERR_GET_REASON(ERR_get_error()) == SSL_R_SSLV3_ALERT_UNEXPECTED_MESSAGE);
  }
}

TEST_CASE("answers that the client does not read are bounded, and then its connection ends") {
  Pair pair;
  const int little = 1;
  ::setsockopt(pair.sockets[1], SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
  pair.shake_hands();
  os::Received got;
  size_t most = 0, rounds = 0;
  do {
    pair.update_key();
    REQUIRE(SSL_write(pair.client, "x", 1) == 1);
    pair.deliver();
    pair.server->begin_turn(++pair.turn, pair.now_ms);
    got = pair.read();
    most = std::max(most, pair.server->unsent_bytes());
  } while (got.io == os::Io::Done && got.bytes == 1 && ++rounds < 20'000);
  CHECK(got.io == os::Io::Failed);
  REQUIRE(pair.server->flood().has_value());
  CHECK(*pair.server->flood() == Flood::AnswersUnread);
  CHECK(most <= limits::kAnswerBytesMax + 100);
}

TEST_CASE("a client that reads may update its key for ever") {
  Pair pair;
  pair.shake_hands();
  for (int i = 0; i < 2000; i++) {
    pair.update_key();
    REQUIRE(SSL_write(pair.client, "x", 1) == 1);
    pair.deliver();
    pair.server->begin_turn(++pair.turn, pair.now_ms);
    REQUIRE(pair.read().bytes == 1);
    char byte;
    (void)SSL_read(pair.client, &byte, 1);
  }
  CHECK_FALSE(pair.server->flood().has_value());
}

TEST_CASE("of a thousand tickets the first few are looked at") {
  Pair first;
  first.shake_hands();
  SSL_SESSION* session = SSL_get1_session(first.client);
  for (const size_t more : {size_t{limits::kTicketsTriedMax - 1}, size_t{200}, size_t{0}}) {
    CAPTURE(more);
    Pair pair;
    REQUIRE(SSL_set_session(pair.client, session) == 1);
    (void)SSL_do_handshake(pair.client);
    pair.send(in_records(with_more_tickets(pair.take().substr(5), more), 16'000));
    // One that is found is believed only with its binder, which is of another ClientHello.
    const bool found = more > 0 && more < limits::kTicketsTriedMax;
    CHECK(pair.step() == (found ? Handshake::Failed : Handshake::NeedRead));
    if (more > 0) continue;
    REQUIRE(SSL_do_handshake(pair.client) == 1);
    pair.deliver();
    CHECK(pair.step() == Handshake::Done);
    CHECK(pair.server->resumed());
  }
  SSL_SESSION_free(session);
}

TEST_CASE("the age of a ticket's key is counted by the turns' time") {
  for (const uint64_t age_ms :
       {2 * limits::kTicketKeyPeriodMs - 1, 2 * limits::kTicketKeyPeriodMs}) {
    CAPTURE(age_ms);
    static uint64_t now_ms = 0;
    now_ms += 10 * limits::kTicketKeyPeriodMs;  // all former keys are too old
    Pair first;
    first.now_ms = now_ms;
    first.shake_hands();
    SSL_SESSION* session = SSL_get1_session(first.client);
    Pair second;
    second.now_ms = now_ms += age_ms;
    REQUIRE(SSL_set_session(second.client, session) == 1);
    SSL_SESSION_free(session);
    second.shake_hands();
    CHECK(second.server->resumed() == (age_ms < 2 * limits::kTicketKeyPeriodMs));
  }
}

TEST_CASE("a negotiated maximum fragment length is no case for the kernel") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const int code : {TLSEXT_max_fragment_length_DISABLED, TLSEXT_max_fragment_length_512,
                           TLSEXT_max_fragment_length_4096}) {
      Pair pair(version);
      REQUIRE(SSL_set_tlsext_max_fragment_length(pair.client, static_cast<uint8_t>(code)) == 1);
      pair.shake_hands();
      const bool limited = code != TLSEXT_max_fragment_length_DISABLED;
      CHECK(pair.server->has_fragment_limit() == limited);
      tls::KernelSupport kernel;
      kernel.attachable = true;
      for (tls::CipherSupport& support : kernel.by_cipher) support = {true, true, 0};
      const tls::Promotion promotion =
          tls::promote(pair.sockets[1], *pair.server, kernel, std::nullopt);
      CHECK(promotion.outcome == tls::Promotion::Outcome::UserSpace);
      CHECK((promotion.fallback == tls::Fallback::FragmentLength) == limited);
    }
  }
}
