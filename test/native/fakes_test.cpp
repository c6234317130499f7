// SPDX-License-Identifier: Apache-2.0
// The fakes themselves: that they lose what the kernel would lose and see what must not happen.
// These are the controls that show that the tests built on them can fail.
#include <poll.h>
#include <unistd.h>

#include <ostream>
#include <string>

#include "doctest/doctest.h"
#include "fakes/fake_kernel.hpp"
#include "fakes/fake_ring.hpp"
#include "fakes/peer.hpp"
#include "fakes/site.hpp"
#include "os/closer.hpp"

using namespace spliced;
using namespace spliced::fakes;

namespace {

const std::string kBody(100'000, 'x');

// A promoted socket that has taken the body, as far as it would.
struct Sent {
  int fd;
  Socket& socket;
  size_t taken;
};

Sent sent(bool asynchronous, size_t send_buffer_bytes) {
  new_kernel();
  const int fd = kernel().open_socket();
  Socket& socket = kernel().at(fd);
  socket.asynchronous_cipher = asynchronous;
  socket.send_buffer_bytes = send_buffer_bytes;
  socket.promote(22, 1, 0);
  const os::Moved moved = os::send_bytes(fd, kBody.data(), kBody.size(), false);
  return {fd, socket, moved.bytes};
}

void close_now(int fd) {
  os::Closer closer;
  closer.close(fd);
}

}  // namespace

TEST_CASE("fake socket: closing with an asynchronous cipher and a full TCP loses the rest") {
  const Sent s = sent(true, 20'000);
  CHECK(s.taken == kBody.size());  // the TLS layer takes without bound
  CHECK(s.socket.pending_in_tls() == kBody.size() + 7 * 22);
  close_now(s.fd);
  CHECK(s.socket.lost_in_tls() == kBody.size() + 7 * 22 - 20'000);
  s.socket.peer_takes();
  CHECK(wire::decode(s.socket.arrived()).plaintext.size() == 16384);
  CHECK(wire::decode(s.socket.arrived()).broken_off);
}

TEST_CASE("fake socket: a synchronous cipher loses too") {
  const Sent s = sent(false, 20'000);
  CHECK(s.taken == 2 * 16384);
  close_now(s.fd);
  CHECK(s.socket.lost_in_tls() > 0);
}

TEST_CASE("fake socket: a close after the TLS layer is empty loses nothing") {
  const Sent s = sent(true, 20'000);
  s.socket.cipher_completes_all();
  while (s.socket.pending_in_tls() > 0) s.socket.peer_takes(5000);
  close_now(s.fd);
  while (s.socket.peer_takes(5000) > 0) continue;
  CHECK(wire::decode(s.socket.arrived()).plaintext == kBody);
  CHECK(s.socket.fin_arrived());
}

TEST_CASE("fake socket: a FIN overtakes what the cipher still has") {
  const Sent s = sent(true, 200'000);
  os::half_close(s.fd);
  CHECK(s.socket.fin_overtook());
  s.socket.cipher_completes_all();
  s.socket.peer_takes();
  CHECK(s.socket.arrived().empty());
}

TEST_CASE("fake socket: an open record is lost by a close") {
  new_kernel();
  const int fd = kernel().open_socket();
  Socket& socket = kernel().at(fd);
  socket.promote(22, 1, 0);
  CHECK(os::send_bytes(fd, "abc", 3, /*more=*/true).bytes == 3);
  CHECK(socket.pending_in_tls() == 3);
  CHECK(socket.records_sent() == 0);
  close_now(fd);
  CHECK(socket.lost_in_tls() == 3);
}

TEST_CASE("fake socket: completions of the cipher may overtake, records may not") {
  const Sent s = sent(true, 200'000);
  CHECK(s.socket.ciphering() == 7);
  s.socket.cipher_completes(3);
  CHECK(s.socket.queued_in_tcp() == 0);
  s.socket.cipher_completes(0);
  CHECK(s.socket.queued_in_tcp() == 16384 + 22);
  s.socket.cipher_completes_all();
  s.socket.peer_takes();
  CHECK(wire::decode(s.socket.arrived()).plaintext == kBody);
}

TEST_CASE("fake socket: its figures are those of the ledger's formula, at every moment") {
  const Sent s = sent(true, 30'000);
  const auto pending_by_formula = [&] {
    os::TcpCounters tcp;
    uint64_t sequence = 0;
    CHECK(os::tcp_counters(s.fd, tcp));
    CHECK(s.socket.sequence(true, sequence));
    return kBody.size() + 22 * (sequence - 1) - tcp.accepted;
  };
  while (s.socket.pending_in_tls() > 0) {
    CHECK(pending_by_formula() == s.socket.pending_in_tls());
    s.socket.cipher_completes(0);
    s.socket.peer_takes(7000);
  }
  CHECK(pending_by_formula() == 0);
  CHECK(os::unacknowledged_bytes(s.fd) == static_cast<int>(s.socket.queued_in_tcp()));
}

TEST_CASE("fake socket: a close with unread input resets and loses what TCP had") {
  const Sent s = sent(false, 200'000);
  s.socket.peer_sends("unread");
  close_now(s.fd);
  CHECK(s.socket.lost_in_tcp() == kBody.size() + 7 * 22);
  CHECK(s.socket.peer_takes() == 0);
  CHECK(s.socket.reset());
}

TEST_CASE("fake socket: severing loses what TCP had, and ends every call") {
  const Sent s = sent(false, 200'000);
  os::sever(s.fd);
  CHECK(os::send_bytes(s.fd, "a", 1, false).io == os::Io::Failed);
  char byte;
  CHECK(os::receive_record(s.fd, &byte, 1).io == os::Io::Eof);
  close_now(s.fd);
  CHECK(s.socket.lost_in_tcp() > 0);
}

TEST_CASE("fake socket: control records come alone, data records together") {
  const Sent s = sent(false, 200'000);
  s.socket.peer_sends("ab");
  s.socket.peer_sends("cd");
  s.socket.peer_sends("xy", os::RecordType::Alert);
  s.socket.peer_breaks(74);
  char out[8];
  CHECK(os::receive_record(s.fd, out, 3).bytes == 3);
  CHECK(os::receive_record(s.fd, out, 3).bytes == 1);
  CHECK(os::receive_record(s.fd, out, 8).type == os::RecordType::Alert);
  CHECK(os::receive_record(s.fd, out, 8).error == 74);
  CHECK(os::receive_record(s.fd, out, 8).error == 74);
}

TEST_CASE("fake kernel: a descriptor after its close is a violation") {
  const Sent s = sent(false, 200'000);
  close_now(s.fd);
  CHECK(kernel().violations.empty());
  CHECK(os::send_bytes(s.fd, "a", 1, false).io == os::Io::Failed);
  CHECK(kernel().violations.mention("send_bytes on descriptor 1000000, which is closed"));
  kernel().violations.clear();
  os::half_close(7);
  CHECK(kernel().violations.mention("half_close on descriptor 7, which never was a socket"));
}

TEST_CASE("fake ring: what the ring has must not go away") {
  const Sent s = sent(false, 200'000);
  FakeRing ring(kernel());
  const ring::Token token{ring::Kind::Watch, 0, 0};
  ring.watch(s.fd, token);
  SUBCASE("a socket closed under a watch") {
    kernel().close(s.fd);
    CHECK(kernel().violations.mention("closed while the ring had an operation"));
  }
  SUBCASE("one token for two operations") {
    ring.watch(s.fd, token);
    CHECK(kernel().violations.mention("submitted twice"));
  }
  SUBCASE("a cancel of nothing") {
    ring.cancel(s.fd, {ring::Kind::Watch, 1, 0});
    CHECK(kernel().violations.mention("does not have"));
  }
  SUBCASE("a file closed under a fill, a path changed under an open") {
    Site site;
    site.write("a", 10);
    ring.hold_file_operations = true;
    char path[] = "a";
    ring.open_file(site.root(), path, {ring::Kind::OpenFile, 0, 0});
    path[0] = 'b';
    ring.finish();
    CHECK(kernel().violations.mention("a path changed"));
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    ring.fill_pipe(ends[0], 0, ends[1], 1, {ring::Kind::FillPipe, 0, 0});
    os::close_fd(ends[1]);
    os::close_fd(ends[0]);
    ring.finish();
    CHECK(kernel().violations.mention("a file was closed while"));
    CHECK(kernel().violations.mention("a pipe was closed while"));
  }
}

TEST_CASE("fake ring: a watch tells what is ready, then every change, then its end") {
  const Sent s = sent(false, 200'000);
  FakeRing ring(kernel());
  const ring::Token token{ring::Kind::Watch, 3, 9};
  ring.watch(s.fd, token);
  ring::Completion got;
  REQUIRE(ring.take(got));
  CHECK(got.result == POLLOUT);
  CHECK(got.more);
  CHECK_FALSE(ring.take(got));
  s.socket.peer_sends("a");
  s.socket.peer_half_closes();
  REQUIRE(ring.take(got));
  CHECK(got.result == (POLLIN | POLLOUT | POLLRDHUP));
  ring.cancel(s.fd, token);
  CHECK(ring.outstanding() == 1);
  REQUIRE(ring.take(got));
  CHECK(got.result < 0);
  CHECK_FALSE(got.more);
  CHECK(ring.outstanding() == 0);
}
