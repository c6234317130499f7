// SPDX-License-Identifier: Apache-2.0
// Scenarios: control records, records that cannot be opened, and the limit of records under one
// key.
#include <errno.h>
#include <unistd.h>

#include <ostream>
#include <string>

#include "conn/alert.hpp"
#include "doctest/doctest.h"
#include "fakes/world.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::Ending;
using conn::State;
namespace alert = spliced::conn::alert;

namespace {

constexpr size_t kTls13 = 0, kTls12 = 3;

Peer connect(World& world, size_t cipher) {
  const Peer peer = world.connect([&](Socket& socket, TlsScript& script) {
    socket.asynchronous_cipher = true;
    script.cipher = cipher;
  });
  world.turns();
  REQUIRE(world.state(peer) == State::ReadHead);
  return peer;
}

using Alerts = std::vector<uint8_t>;

void handshake_record(const Peer& peer, const std::string& content) {
  peer.socket().peer_sends(content, os::RecordType::Handshake);
}

uint64_t floods(const World& world, tls::Flood flood) {
  return world.figures.floods[static_cast<size_t>(flood)].get();
}

}  // namespace

TEST_CASE("what ends a connection, and the alert that says why") {
  struct Row {
    const char* rule;
    size_t cipher;
    void (*act)(const Peer&);
    uint8_t description;
  };
  for (const Row& row : {
           Row{"KeyUpdate", kTls13, [](const Peer& p) { p.handshake_message(24); },
               alert::kInternalError},
           Row{"a handshake message in TLS 1.3", kTls13,
               [](const Peer& p) { p.handshake_message(1); }, alert::kUnexpectedMessage},
           Row{"an empty handshake record", kTls13,
               [](const Peer& p) { p.socket().peer_sends("", os::RecordType::Handshake); },
               alert::kUnexpectedMessage},
           Row{"a handshake message in TLS 1.2 that is no ClientHello", kTls12,
               [](const Peer& p) { p.handshake_message(16); }, alert::kUnexpectedMessage},
           Row{"a KeyUpdate of another length", kTls13,
               [](const Peer& p) { handshake_record(p, std::string("\x18\0\0\2\0", 5)); },
               alert::kDecodeError},
           Row{"a KeyUpdate that is longer by its first byte of three", kTls13,
               [](const Peer& p) { handshake_record(p, std::string("\x18\1\0\1\0", 5)); },
               alert::kDecodeError},
           Row{"a KeyUpdate that is longer by its second byte of three", kTls13,
               [](const Peer& p) { handshake_record(p, std::string("\x18\0\1\1\0", 5)); },
               alert::kDecodeError},
           Row{"a KeyUpdate that asks for what there is not", kTls13,
               [](const Peer& p) { handshake_record(p, std::string("\x18\0\0\1\2", 5)); },
               alert::kIllegalParameter},
           Row{"a KeyUpdate with something behind it", kTls13,
               [](const Peer& p) { handshake_record(p, std::string("\x18\0\0\1\0\x18", 6)); },
               alert::kUnexpectedMessage},
           Row{"the begin of a KeyUpdate", kTls13,
               [](const Peer& p) { handshake_record(p, "\x18"); }, alert::kInternalError},
           Row{"an empty handshake record in TLS 1.2", kTls12,
               [](const Peer& p) { handshake_record(p, ""); }, alert::kUnexpectedMessage},
           Row{"an alert without content", kTls13,
               [](const Peer& p) { p.socket().peer_sends("", os::RecordType::Alert); },
               alert::kUnexpectedMessage},
           Row{"an alert without content in TLS 1.2", kTls12,
               [](const Peer& p) { p.socket().peer_sends("", os::RecordType::Alert); },
               alert::kUnexpectedMessage},
           Row{"half an alert", kTls13,
               [](const Peer& p) { p.socket().peer_sends("\1", os::RecordType::Alert); },
               alert::kDecodeError},
           Row{"half an alert in TLS 1.2", kTls12,
               [](const Peer& p) { p.socket().peer_sends("\2", os::RecordType::Alert); },
               alert::kDecodeError},
           Row{"an alert and a half", kTls13,
               [](const Peer& p) {
                 p.socket().peer_sends(std::string("\1\0\1", 3), os::RecordType::Alert);
               },
               alert::kDecodeError},
           Row{"an alert of a level that is none, in TLS 1.2", kTls12,
               [](const Peer& p) { p.alert(3, 112); }, alert::kIllegalParameter},
           Row{"change_cipher_spec in TLS 1.2", kTls12,
               [](const Peer& p) { p.socket().peer_sends("\1", os::RecordType::ChangeCipherSpec); },
               alert::kUnexpectedMessage},
           Row{"change_cipher_spec", kTls13,
               [](const Peer& p) { p.socket().peer_sends("\1", os::RecordType::ChangeCipherSpec); },
               alert::kUnexpectedMessage},
           Row{"an unknown type of record", kTls13,
               [](const Peer& p) { p.socket().peer_sends("?", static_cast<os::RecordType>(99)); },
               alert::kUnexpectedMessage},
           Row{"a tag that does not match", kTls13,
               [](const Peer& p) { p.socket().peer_breaks(EBADMSG); }, alert::kBadRecordMac},
           Row{"a record that is too long", kTls13,
               [](const Peer& p) { p.socket().peer_breaks(EMSGSIZE); }, alert::kRecordOverflow},
           Row{"a record of another version", kTls13,
               [](const Peer& p) { p.socket().peer_breaks(EINVAL); }, alert::kProtocolVersion},
           Row{"a key that has expired", kTls13,
               [](const Peer& p) { p.socket().peer_breaks(EKEYEXPIRED); }, alert::kInternalError},
       }) {
    CAPTURE(row.rule);
    World world;
    const Peer peer = connect(world, row.cipher);
    row.act(peer);
    world.run_to_end(peer);
    REQUIRE(peer.alerts() == Alerts{row.description});
    CHECK(peer.arrived().records.back().payload[0] == alert::kFatal);
    CHECK(world.state(peer) == State::Free);
    CHECK(world.ending(peer) == Ending::PeerGone);
    CHECK(world.figures.alerts_sent.get() == 1);
    CHECK(world.figures.drained.get() + world.figures.aborted.get() == 0);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("an error of the TLS layer is no reset: what TCP has is not destroyed") {
  World world;
  world.site.write("ten", 10);
  const Peer peer = connect(world, kTls13);
  peer.get("/ten");
  world.turns();
  peer.socket().cipher_completes_all();
  peer.says_goodbye();
  world.turns();
  REQUIRE(world.state(peer) == State::Settle);
  peer.socket().cipher_fails();
  world.advance(5000);
  CHECK(world.ending(peer) == Ending::Aborted);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("a refusal stays one when the stop cuts it short") {
  for (bool handshake : {false, true}) {
    for (bool delivered : {false, true}) {
      CAPTURE(handshake);
      CAPTURE(delivered);
      World world;
      const Peer peer = world.connect([&](Socket&, TlsScript& script) {
        if (handshake) script.handshake = {tls::Handshake::Failed};
      });
      world.turns();
      if (!handshake) peer.socket().peer_breaks(EBADMSG);
      world.turns();
      REQUIRE(world.state(peer) == State::Linger);
      if (delivered) peer.socket().peer_takes();
      conn::abort_all(*world.services);
      world.turns();
      CHECK(world.ending(peer) == (handshake ? Ending::NotServed : Ending::PeerGone));
      CHECK(world.figures.drained.get() + world.figures.aborted.get() == 0);
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("renegotiation is declined and the connection goes on (RFC 5246 7.2.2)") {
  World world;
  world.site.write("ten", 10);
  const Peer peer = connect(world, kTls12);
  peer.handshake_message(1);
  peer.get("/ten");
  world.pump(peer);
  CHECK(peer.alerts() == Alerts{alert::kNoRenegotiation});
  CHECK(peer.responses().size() == 1);
  CHECK(world.state(peer) == State::ReadHead);
  CHECK(world.figures.control_records.get() == 1);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("a warning is ignored in TLS 1.2, and there is none in TLS 1.3") {
  for (size_t cipher : {kTls12, kTls13}) {
    World world;
    const Peer peer = connect(world, cipher);
    peer.alert(alert::kWarning, 112);  // unrecognized_name
    world.turns();
    CHECK((world.state(peer) == State::ReadHead) == (cipher == kTls12));
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("renegotiation is declined once; whoever asks again is refused") {
  World world;
  const Peer peer = connect(world, kTls12);
  peer.socket().send_buffer_bytes = 1 << 20;
  for (int i = 0; i < 20'000; i++) peer.handshake_message(1);
  world.run_to_end(peer);
  CHECK(peer.alerts() == Alerts{alert::kNoRenegotiation, alert::kUnexpectedMessage});
  CHECK(world.ending(peer) == Ending::PeerGone);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("the peer's close_notify is answered, after the responses") {
  World world;
  const std::string content = world.site.write("file", 100'000);
  const Peer peer = connect(world, kTls13);
  peer.get("/file");
  peer.says_goodbye();
  world.run_to_end(peer, 9000);
  REQUIRE(peer.responses().size() == 1);
  CHECK(peer.responses()[0].body == content);
  CHECK(peer.alerts() == Alerts{alert::kCloseNotify});
  CHECK(world.ending(peer) == Ending::Drained);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("other alerts end the connection; what was answered before is still drained") {
  for (uint8_t description : {uint8_t{20}, uint8_t{40}, uint8_t{80}}) {
    World world;
    world.site.write("ten", 10);
    const Peer peer = connect(world, kTls13);
    peer.get("/ten");
    peer.alert(alert::kFatal, description);
    world.run_to_end(peer);
    CHECK(peer.responses().size() == 1);
    CHECK(peer.alerts() == Alerts{alert::kCloseNotify});
    CHECK(world.ending(peer) == Ending::PeerGone);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("a level means nothing in TLS 1.3: close_notify is one, and the rest are fatal") {
  for (uint8_t level : {uint8_t{0}, uint8_t{1}, uint8_t{2}, uint8_t{9}}) {
    for (uint8_t description : {uint8_t{0}, uint8_t{112}}) {
      World world;
      const Peer peer = connect(world, kTls13);
      peer.alert(level, description);
      world.run_to_end(peer);
      CHECK(peer.alerts() == Alerts{alert::kCloseNotify});
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("a ClientHello that is declined may come in pieces (RFC 5246 6.2.1)") {
  World world;
  world.site.write("ten", 10);
  const Peer peer = connect(world, kTls12);
  const std::string hello = std::string("\1\0\0\6", 4) + "\1\1\1\1\1\1";
  for (const std::string& piece : {hello.substr(0, 1), hello.substr(1, 4), hello.substr(5)})
    handshake_record(peer, piece);
  peer.get("/ten");
  world.pump(peer);
  CHECK(peer.alerts() == Alerts{alert::kNoRenegotiation});
  CHECK(peer.responses().size() == 1);
  CHECK(world.state(peer) == State::ReadHead);
  handshake_record(peer, hello);
  world.run_to_end(peer);
  CHECK(peer.alerts() == Alerts{alert::kNoRenegotiation, alert::kUnexpectedMessage});
  CHECK(floods(world, tls::Flood::Renegotiation) == 1);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("records without data: so many in a row, and then the alert") {
  struct Row {
    const char* what;
    size_t cipher;
    void (*act)(const Peer&);
  };
  for (const Row& row : {
           Row{"empty records", kTls13, [](const Peer& p) { p.sends(""); }},
           Row{"empty records in TLS 1.2", kTls12, [](const Peer& p) { p.sends(""); }},
           Row{"warnings", kTls12, [](const Peer& p) { p.alert(alert::kWarning, 112); }},
       }) {
    CAPTURE(row.what);
    World world;
    world.site.write("ten", 10);
    const Peer peer = connect(world, row.cipher), other = connect(world, kTls13);
    for (size_t i = 0; i < limits::kRecordsWithoutDataMax; i++) row.act(peer);
    peer.get("/ten");
    world.pump(peer);
    CHECK(peer.responses().size() == 1);
    peer.socket().send_buffer_bytes = 1 << 20;
    for (int i = 0; i < 500; i++) row.act(peer);
    other.get("/ten");
    for (int i = 0; i < 10; i++) world.turn();
    other.socket().cipher_completes_all();
    other.socket().peer_takes();
    CHECK(other.responses().size() == 1);
    world.run_to_end(peer);
    CHECK(peer.alerts() == Alerts{alert::kUnexpectedMessage});
    CHECK(floods(world, tls::Flood::RecordsWithoutData) == 1);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("sending: the limit of records under one key ends the connection behind a response") {
  for (uint64_t margin : {uint64_t{0}, uint64_t{1}, uint64_t{5}}) {
    CAPTURE(margin);
    World world;
    world.site.write("ten", 10);
    const Peer peer = world.connect([&](Socket&, TlsScript& script) {
      script.transmit_sequence = limits::kRecordsPerKeyMax - margin;
    });
    for (int i = 0; i < 10; i++) peer.get("/ten");
    world.run_to_end(peer);
    CHECK(peer.responses().size() == std::max<uint64_t>(1, margin));
    for (const Response& response : peer.responses()) CHECK(response.whole);
    CHECK(peer.alerts() == Alerts{alert::kCloseNotify});
    CHECK(world.figures.record_limit_closes.get() == 1);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("sending: the limit inside a body ends it visibly") {
  World world;
  world.site.write("file", 1'000'000);
  const Peer peer = world.connect([&](Socket& socket, TlsScript& script) {
    socket.send_buffer_bytes = 4 << 20;
    script.transmit_sequence = limits::kRecordsPerKeyMax - 8;
  });
  peer.get("/file");
  world.run_to_end(peer);
  CHECK(world.figures.record_limit_closes.get() == 1);
  CHECK(world.ending(peer) == Ending::Aborted);
  CHECK(peer.alerts().empty());
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("receiving: the limit of records under one key ends the connection") {
  World world;
  const Peer peer = world.connect([&](Socket&, TlsScript& script) {
    script.receive_sequence = limits::kRecordsPerKeyMax - 20;
  });
  for (int i = 0; i < 30; i++) {
    peer.sends("x");
    world.turns();
  }
  CHECK(world.figures.record_limit_closes.get() == 1);
  world.run_to_end(peer);
  CHECK(peer.alerts() == Alerts{alert::kCloseNotify});
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("receiving: records without content count for the limit") {
  conn::Options options = World::small_options();
  options.records_per_key_max = 32;
  World world(options);
  const Peer peer = world.connect();
  for (int i = 0; i < 4; i++) {
    peer.sends("x");
    for (int empty = 0; empty < 9; empty++) peer.sends("");
    world.turns();
  }
  CHECK(world.figures.record_limit_closes.get() == 1);
  world.run_to_end(peer);
  CHECK(peer.alerts() == Alerts{alert::kCloseNotify});
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("a stale completion is counted and nothing else; its descriptor is not leaked") {
  World world;
  const size_t before = open_descriptors();
  const int file = ::dup(0);
  world.ring->inject({{ring::Kind::OpenFile, 2, 7}, file, false});
  world.ring->inject({{ring::Kind::Watch, 99, 0}, 1, true});
  world.turns();
  CHECK(open_descriptors() == before);
  CHECK(world.figures.stale_completions.get() == 2);
  world.figures.stale_completions.set(0);
  CHECK(world.settle_accounts() == "");
}
