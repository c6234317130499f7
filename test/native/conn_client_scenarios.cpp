// SPDX-License-Identifier: Apache-2.0
// Scenarios: clients with certificates. Where one is needed and who gets in, in kernel TLS and in
// user space; what is counted; and what a change of the settings means for who is in already.
#include <ostream>
#include <string>

#include "doctest/doctest.h"
#include "fakes/world.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::State;

namespace {

void require_below(World& world, const char* prefix) {
  auto prefixes = std::make_shared<http::PathPrefixes>();
  REQUIRE(prefixes->add(prefix));
  world.services->certificate_required = std::move(prefixes);
}

Peer connect(World& world, bool kernel_tls, const std::string& subject) {
  return world.connect([&](Socket&, TlsScript& script) {
    script.asked_for_certificate = true;
    script.client = subject;
    if (!kernel_tls) script.outcome = tls::Promotion::Outcome::UserSpace;
  });
}

}  // namespace

TEST_CASE("clients: a path below the prefix needs a certificate, others do not") {
  for (const bool kernel_tls : {true, false}) {
    for (const bool known : {true, false}) {
      CAPTURE(kernel_tls);
      CAPTURE(known);
      World world;
      world.site.write("private.txt", 10);
      world.site.write("open.txt", 10);
      require_below(world, "/private.txt");
      const Peer peer = connect(world, kernel_tls, known ? "CN=unit" : "");
      peer.get("/open.txt");
      peer.get("/x/../%70rivate.txt");
      world.pump(peer);
      const std::vector<Response> all = peer.responses();
      REQUIRE(all.size() == 2);
      CHECK(all[0].status == 200);
      CHECK(all[1].status == (known ? 200 : 403));
      CHECK(all[1].whole);
      CHECK(world.figures.clients_verified.get() == (known ? 1 : 0));
      CHECK(world.figures.clients_missing.get() == (known ? 0 : 1));
      if (known) {
        CHECK(world.state(peer) == State::ReadHead);
        CHECK(world.find(peer.fd())->tls.client->subject == "CN=unit");
      } else {  // it may come back and show one
        world.run_to_end(peer);
        CHECK(world.ending(peer) == conn::Ending::Drained);
      }
      CHECK(world.settle_accounts() == "");
    }
  }
}

TEST_CASE("clients: \"/\" is everything but the status page, and says nothing of what is there") {
  World world;
  world.site.write("index.html", 10);
  require_below(world, "/");
  struct Row {
    const char* target;
    int status;
  };
  for (const Row& row :
       {Row{"/", 403}, Row{"/index.html", 403}, Row{"/absent", 403}, Row{"/.spliced/status", 200},
        Row{"/.spliced/x", 404}, Row{"//", 404}, Row{"/.spliced", 404}, Row{"/..", 400}}) {
    CAPTURE(row.target);
    const Peer peer = world.connect([](Socket& socket, TlsScript& script) {
      socket.peer_is_loopback = true;
      script.asked_for_certificate = true;
    });
    peer.get(row.target);
    world.pump(peer);
    const std::vector<Response> all = peer.responses();
    REQUIRE(all.size() == 1);
    CHECK(all[0].status == row.status);
    peer.says_goodbye();
    world.run_to_end(peer);
  }
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("clients: a rule for a file holds for whatever it is sent in place of") {
  World world;
  world.site.write("docs/index.html", 10);
  http::Route route;
  route.index = "index.html";
  route.fallback = "docs/index.html";
  world.serve({route});
  require_below(world, "/docs/index.html");
  for (const char* target : {"/docs/index.html", "/docs/", "/page/17"}) {
    CAPTURE(target);
    const Peer peer = world.connect();
    peer.get(target);
    world.run_to_end(peer);
    REQUIRE(peer.responses().size() == 1);
    CHECK(peer.responses()[0].status == 403);
  }
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("clients: without the settings nobody is asked, and nothing is counted") {
  World world;
  world.site.write("ten", 10);
  const Peer peer = world.connect();
  peer.get("/ten");
  world.pump(peer);
  CHECK(peer.responses().size() == 1);
  CHECK(world.find(peer.fd())->tls.client == nullptr);
  CHECK(world.figures.clients_verified.get() + world.figures.clients_missing.get() == 0);
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("clients: every refusal is counted by its reason") {
  for (size_t i = 0; i < tls::kClientRefusals; i++) {
    World world;
    const Peer peer = world.connect([&](Socket&, TlsScript& script) {
      script.asked_for_certificate = true;
      script.handshake = {tls::Handshake::Failed};
      script.failure = tls::HandshakeFailure::ClientCertificate;
      script.client_refusal = static_cast<tls::ClientRefusal>(i);
    });
    world.run_to_end(peer);
    for (size_t j = 0; j < tls::kClientRefusals; j++)
      CHECK(world.figures.clients_refused[j].get() == (i == j ? 1 : 0));
    CHECK(world.figures.clients_missing.get() + world.figures.clients_verified.get() == 0);
    CHECK(world.settle_accounts() == "");
  }
}

TEST_CASE("clients: who is refused is kept for the log, up to its bound") {
  World world;
  world.site.write("ten", 10);
  conn::RefusalLog log;
  world.services->refusal_log = &log;
  const auto refuse = [&] {
    const Peer peer = world.connect([&](Socket&, TlsScript& script) {
      script.asked_for_certificate = true;
      script.handshake = {tls::Handshake::Failed};
      script.failure = tls::HandshakeFailure::ClientCertificate;
      script.client_refusal = tls::ClientRefusal::Expired;
      script.refused_subject = "CN=old";
    });
    world.run_to_end(peer);
  };
  refuse();
  require_below(world, "/");
  const Peer nobody = connect(world, true, "");
  nobody.get("/ten");
  world.pump(nobody);
  CHECK(nobody.responses().back().status == 403);
  world.run_to_end(nobody);
  conn::RefusalLog::Batch batch = log.take();
  CHECK(batch.lost == 0);
  REQUIRE(batch.refused.size() == 2);
  CHECK(std::string(batch.refused[0].reason) == "expired");
  CHECK(batch.refused[0].subject == "CN=old");
  CHECK(std::string(batch.refused[1].reason) == "no_certificate");
  CHECK(batch.refused[1].subject == "");
  for (size_t i = 0; i < limits::kRefusalRecordsMax + 3; i++) refuse();
  batch = log.take();
  CHECK(batch.refused.size() == limits::kRefusalRecordsMax);
  CHECK(batch.lost == 3);
  CHECK(log.take().refused.empty());
  CHECK(world.settle_accounts() == "");
}

TEST_CASE("clients: other settings judge the next request, and ask the known for their proof") {
  World world;
  world.site.write("ten", 10);
  world.services->generation = new_generation();
  const Peer known = connect(world, true, "CN=unit");
  const Peer unknown = connect(world, true, "");
  for (const Peer& peer : {known, unknown}) {
    peer.get("/ten");
    world.pump(peer);
    CHECK(peer.responses().back().status == 200);
    CHECK(world.state(peer) == State::ReadHead);
  }
  world.services->generation = new_generation();
  require_below(world, "/");
  for (const Peer& peer : {known, unknown}) {
    peer.get("/ten");
    world.pump(peer);
    CHECK(peer.responses().size() == 2);
    CHECK(peer.responses().back().status == (peer.fd() == known.fd() ? 200 : 403));
    world.run_to_end(peer);
    CHECK(world.ending(peer) == conn::Ending::Drained);
  }
  CHECK(world.settle_accounts() == "");
}
