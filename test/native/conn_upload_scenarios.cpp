// SPDX-License-Identifier: Apache-2.0
// Scenarios: uploads (PUT /.spliced/upload/ID). The ring writes when the test says so, whole, short
// or not at all; the test is the thread that hashes and the daemon that concludes, too.
#include <errno.h>

#include <ostream>
#include <string>

#include "doctest/doctest.h"
#include "fakes/part.hpp"

using namespace spliced;
using namespace spliced::fakes;
using conn::Ending;
using conn::State;

TEST_CASE("upload: every byte is in the file before the answer, however they come") {
  for (const Path way : kPaths) {
    for (const size_t size :
         {size_t{1}, size_t{16383}, size_t{16384}, size_t{16385}, size_t{700'001}}) {
      for (const bool held : {false, true}) {
        CAPTURE(static_cast<int>(way));
        CAPTURE(size);
        CAPTURE(held);
        World world;
        const std::string body = Site::content("part", size);
        Part part(world, size);
        world.ring->hold_file_operations = held;
        const Peer peer = connect(world, way);
        peer.sends(put(size));
        send_records(peer, body);
        for (int i = 0; i < 200; i++) {
          world.turns();
          CHECK(peer.responses().empty());
          if (world.ring->held() > 0)
            i % 3 == 0 ? world.ring->finish_short(0, 5000) : world.ring->finish(0);
        }
        CHECK(part.content() == body);
        CHECK(world.state(peer) == State::Receive);
        CHECK(part.ticket->offset() == size);
        part.ticket->conclude({200, "{}"});
        world.advance(400);
        world.pump(peer);
        CHECK(only_response(peer).status == 200);
        CHECK(world.state(peer) == State::ReadHead);
        const uint64_t spliced = world.figures.received_spliced_bytes.get();
        const size_t in_first_read = std::min<size_t>(size, 16384);  // behind the head
        CHECK(spliced <= (way == Path::UserSpace ? 0 : size));
        if (way != Path::UserSpace) CHECK(spliced >= size - in_first_read);
        CHECK(part.settle() == "");
      }
    }
  }
}

TEST_CASE("upload: nothing is read while both pipes are full, and nothing is lost") {
  for (const Path way : kPaths) {
    CAPTURE(static_cast<int>(way));
    World world;
    const size_t size = 3'000'000;
    const std::string body = Site::content("part", size);
    Part part(world, size);
    world.ring->hold_file_operations = true;
    const Peer peer = connect(world, way);
    peer.sends(put(size));
    send_records(peer, body);
    world.turns(200);
    const uint64_t taken = world.figures.received_bytes.get();
    CHECK(taken <= 2 * limits::kUploadPipeBytes + 3 * 16384);
    world.turns(200);
    CHECK(world.figures.received_bytes.get() == taken);
    for (int i = 0; i < 1000 && part.ticket->offset() < size; i++) {
      if (world.ring->held() > 0) world.ring->finish(0);
      world.turns();
    }
    CHECK(part.content() == body);
    CHECK(part.settle() == "");
  }
}

TEST_CASE("upload: what came before the peer left is kept") {
  enum class Leaves { Goodbye, HalfCloses, Resets, BadRecord, FatalAlert };
  for (const Path way : {Path::KernelSync, Path::UserSpace}) {
    for (const Leaves how : {Leaves::Goodbye, Leaves::HalfCloses, Leaves::Resets, Leaves::BadRecord,
                             Leaves::FatalAlert}) {
      if (way == Path::UserSpace && how >= Leaves::BadRecord) continue;  // OpenSSL's own matter
      CAPTURE(static_cast<int>(way));
      CAPTURE(static_cast<int>(how));
      World world;
      const std::string body = Site::content("part", 100'000);
      Part part(world, 200'000);
      world.ring->hold_file_operations = true;
      const Peer peer = connect(world, way);
      peer.sends(put(200'000));
      send_records(peer, body);
      world.turns();
      switch (how) {
        case Leaves::Goodbye:
          peer.says_goodbye();
          break;
        case Leaves::HalfCloses:
          peer.socket().peer_half_closes();
          break;
        case Leaves::Resets:
          peer.socket().peer_resets();
          break;
        case Leaves::BadRecord:
          peer.socket().peer_breaks(EBADMSG);
          break;
        case Leaves::FatalAlert:
          peer.alert(2, 80);
      }
      for (int i = 0; i < 20; i++) {
        world.turns();
        if (world.ring->held() > 0) world.ring->finish(0);
      }
      world.run_to_end(peer);
      CHECK(part.ticket->offset() == 100'000);
      CHECK(part.content() == body);
      CHECK_FALSE(part.ticket->snapshot().receiving);
      CHECK(part.settle() == "");
    }
  }
}

TEST_CASE("upload: a renegotiation in the middle is declined, and it goes on") {
  World world;
  const std::string body = Site::content("part", 50'000);
  Part part(world, body.size());
  const Peer peer = world.connect([](Socket&, TlsScript& script) {
    for (size_t i = 0; i < tls::kCipherSpecs; i++)
      if (tls::kCiphers[i].version == tls::Version::Tls12) script.cipher = i;
  });
  peer.sends(put(body.size()));
  send_records(peer, body.substr(0, 20'000));
  peer.handshake_message(1);
  send_records(peer, body.substr(20'000));
  world.turns();
  CHECK(part.content() == body);
  part.ticket->conclude({200, "{}"});
  world.advance(400);
  world.pump(peer);
  CHECK(peer.alerts() == std::vector<uint8_t>{100});
  CHECK(part.settle() == "");
}

TEST_CASE("upload: a write that fails is answered in words, and the connection ends") {
  struct Row {
    int error;
    int status;
  };
  for (const Row& row : {Row{ENOSPC, 507}, Row{EDQUOT, 507}, Row{EFBIG, 507}, Row{EIO, 500}}) {
    for (const Path way : {Path::KernelSync, Path::UserSpace}) {
      CAPTURE(row.error);
      World world;
      const std::string body = Site::content("part", 400'000);
      Part part(world, body.size());
      world.ring->hold_file_operations = true;
      const Peer peer = connect(world, way);
      peer.sends(put(body.size()));
      send_records(peer, body);
      world.turns();
      world.ring->finish_short(0, 10'000);
      world.turns();
      world.ring->fail(0, row.error);
      world.pump(peer);
      const Response response = only_response(peer);
      CHECK(response.status == row.status);
      CHECK(response.head.find("Upload-Offset: 10000\r\n") != std::string::npos);
      CHECK(response.head.find("Connection: close\r\n") != std::string::npos);
      CHECK(part.ticket->snapshot().error == row.error);
      CHECK(part.ticket->snapshot().broken == false);
      world.run_to_end(peer);
      CHECK(part.content() == body.substr(0, 10'000));
      CHECK(part.settle() == "");
    }
  }
}

TEST_CASE("upload: a client that stalls is told so; the disk's own time is not counted") {
  conn::Options options = World::small_options();
  options.send_rate_min_bytes_per_s = 1000;
  World world(options);
  Part part(world, 400'000);
  const Peer peer = world.connect();
  peer.sends(put(400'000));
  send_records(peer, Site::content("part", 300'000));
  world.ring->hold_file_operations = true;
  world.advance(10'000);
  CHECK(world.state(peer) == State::Receive);
  world.ring->hold_file_operations = false;
  while (world.ring->held() > 0) {
    world.ring->finish(0);
    world.turns();
  }
  for (int i = 0; i < 3; i++) {  // slow, but not too slow
    peer.sends(std::string(2100, 'x'));
    world.advance(2000);
    CHECK(world.state(peer) == State::Receive);
  }
  peer.sends(std::string(100, 'x'));
  world.advance(2100);
  world.pump(peer);
  CHECK(only_response(peer).status == 408);
  CHECK(world.figures.overdue[static_cast<size_t>(conn::Overdue::Stall)].get() == 1);
  CHECK(part.ticket->offset() == 306'400);
  world.run_to_end(peer);
  CHECK(world.ending(peer) == Ending::Drained);
  CHECK(part.settle() == "");
}

TEST_CASE("upload: 100 (Continue) goes out when the body is wanted, and not else") {
  for (const Path way : kPaths) {
    World world;
    Part part(world, 5);
    const std::string expect = "Expect: 100-continue\r\n";
    const Peer peer = connect(world, way);
    peer.sends(put(5, expect));
    world.pump(peer, 3);
    CHECK(peer.arrived().plaintext == "HTTP/1.1 100 Continue\r\n\r\n");
    peer.sends("hello");
    world.turns();
    part.ticket->conclude({200, "{}"});
    world.advance(400);
    world.pump(peer);
    CHECK(peer.arrived().plaintext.find("\r\n\r\nHTTP/1.1 200 OK\r\n") != std::string::npos);

    const Peer early = connect(world, way);  // it has begun to send
    early.sends(put(5, expect + "Content-Range: bytes 0-4/5\r\n") + "he");
    world.pump(early, 3);
    CHECK(only_response(early).status == 409);
    CHECK(part.settle() == "");
  }
}

TEST_CASE("upload: two at once, and who is silent gives way") {
  conn::Options options = World::small_options();
  options.stall_timeout_ms = 60'000;
  World world(options);
  const std::string body = Site::content("part", 60'000);
  Part part(world, body.size());
  const Peer first = world.connect(), second = world.connect();
  first.sends(put(body.size()));
  send_records(first, body.substr(0, 30'000));
  world.turns();
  second.sends(put(body.size()));
  world.pump(second, 3);
  CHECK(only_response(second).status == 409);

  // A write under way keeps others out, however long it takes.
  world.ring->hold_file_operations = true;
  send_records(first, body.substr(30'000, 10'000));
  world.turns();
  world.services->now_ms += limits::kUploadQuietMs + 1;
  const std::string rest = "Content-Range: bytes 40000-59999/60000\r\n";
  const Peer third = world.connect();
  third.sends(put(20'000, rest));
  world.pump(third, 3);
  CHECK(only_response(third).status == 409);
  world.ring->hold_file_operations = false;
  world.ring->finish(0);
  world.turns();

  world.services->now_ms += limits::kUploadQuietMs + 1;
  const Peer last = world.connect();
  last.sends(put(20'000, rest));
  send_records(last, body.substr(40'000));
  world.turns();
  CHECK(part.content() == body);
  first.sends("late");
  world.pump(first, 3);
  CHECK(only_response(first).status == 409);
  CHECK(part.content() == body);
  CHECK(part.settle() == "");
}

TEST_CASE("upload: a stop, a take-over of all connections, and a ticket that is closed") {
  for (const bool orderly : {true, false}) {
    World world;
    Part part(world, 60'000);
    world.ring->hold_file_operations = true;
    const Peer peer = world.connect();
    peer.sends(put(60'000));
    send_records(peer, Site::content("part", 30'000));
    world.turns();
    if (orderly) {
      conn::begin_stop(*world.services);
      while (world.ring->held() > 0) {
        world.ring->finish(0);
        world.turns();
      }
      world.pump(peer, 3);
      CHECK(only_response(peer).status == 503);
      CHECK(part.ticket->offset() == 30'000);
    } else {
      conn::abort_all(*world.services);
      CHECK(part.ticket->claim(world.services->now_ms) == 0);  // the ring still writes
    }
    CHECK(part.settle() == "");
  }
  World world;
  Part part(world, 60'000);
  const Peer peer = world.connect();
  peer.sends(put(60'000));
  send_records(peer, Site::content("part", 30'000));
  world.turns();
  part.ticket->close();
  peer.sends("more");
  world.pump(peer, 3);
  CHECK(only_response(peer).status == 409);
  CHECK(part.content().size() == 30'000);
  CHECK(part.settle() == "");
}
