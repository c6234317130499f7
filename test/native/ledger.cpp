// SPDX-License-Identifier: Apache-2.0
// conn/ledger: what is pending in the TLS layer, from the kernel's figures alone.
#include "conn/ledger.hpp"

#include <ostream>

#include "doctest/doctest.h"
#include "tls/cipher.hpp"

using namespace spliced;
using conn::Ledger;

namespace {

Ledger based(uint32_t overhead_bytes, uint64_t sequence, uint64_t accepted, uint64_t acked) {
  Ledger::Base base;
  base.record_overhead_bytes = overhead_bytes;
  base.sequence = sequence;
  base.tcp_accepted = accepted;
  base.tcp_acked = acked;
  return Ledger(base);
}

}  // namespace

TEST_CASE("ledger: the overhead of each cipher (RFC 8446 5.2, RFC 5288 3, RFC 7905 2)") {
  for (const tls::CipherSpec& spec : tls::kCiphers) {
    CAPTURE(spec.suite);
    const bool chacha = spec.kernel_type != 51 && spec.kernel_type != 52;
    const uint32_t expected = spec.version == tls::Version::Tls13 ? 22 : chacha ? 21 : 29;
    CHECK(spec.record_overhead_bytes() == expected);
  }
}

TEST_CASE("ledger: nothing handed, nothing pending, whatever the base is") {
  for (uint64_t base : {uint64_t{0}, uint64_t{5}, uint64_t{1} << 40}) {
    Ledger ledger = based(22, base, base + 1000, base + 900);
    CHECK(ledger.observe(base, base + 1000, base + 900));
    CHECK(ledger.pending() == 0);
    CHECK(ledger.pending_at_most() == 0);
    CHECK(ledger.records() == 0);
    CHECK(ledger.acked() == 0);
  }
}

TEST_CASE("ledger: the handshake's bytes that were not acknowledged at the base come in addition") {
  Ledger ledger = based(22, 1, 1000, 400);
  CHECK(ledger.observe(1, 1000, 1000));
  CHECK(ledger.acked() == 600);
  CHECK(ledger.pending() == 0);
}

TEST_CASE("ledger: a new key counts its records anew, and those of the former one stay counted") {
  Ledger ledger = based(22, 7, 1000, 1000);
  ledger.handed(16384 + 5);
  CHECK(ledger.observe(9, 1000 + 100, 1000));
  ledger.key_changed(9);
  CHECK(ledger.records() == 2);
  CHECK(ledger.sequence_at_most() == 0);
  CHECK(ledger.pending_at_most() == 16384 + 5 + 44 - 100);
  ledger.handed(10);
  CHECK(ledger.sequence_at_most() == 1);
  CHECK(ledger.observe(1, 1000 + 16384 + 15 + 66, 1000));
  CHECK(ledger.records() == 3);
  CHECK(ledger.settled());
  ledger.key_changed(1);
  ledger.key_changed(0);
  CHECK(ledger.records() == 3);
  CHECK(ledger.settled());
}

TEST_CASE("ledger: a reading below the base, with an acknowledgement in its middle, delays alone") {
  // Seen on 6.1: 239 bytes of tickets are in flight at the base and while TCP_INFO is read; by
  // SIOCOUTQ they and the response are acknowledged.
  Ledger ledger = based(22, 2, 1076, 1076);
  ledger.handed(647);
  CHECK(ledger.observe(4, 837, 837));
  CHECK(ledger.pending() == 647 + 44);
  CHECK_FALSE(ledger.settled());
  CHECK(ledger.pending_at_most() == ledger.pending());
  CHECK(ledger.observe(4, 1076 + 647 + 44, 1076 + 647 + 44));
  CHECK(ledger.settled());
}

TEST_CASE("ledger: pending falls as TCP takes, for every overhead") {
  struct Row {
    uint32_t overhead;
    uint64_t plaintext, records, in_tcp, pending;
  };
  for (const Row& row : {
           Row{22, 100, 1, 0, 122},
           Row{29, 100, 1, 0, 129},
           Row{21, 100, 1, 0, 121},
           Row{22, 16384, 1, 16406, 0},
           Row{22, 16385, 2, 0, 16385 + 44},
           Row{22, 65536, 4, 16406, 65536 + 88 - 16406},
           Row{29, 65536, 4, 65536 + 116, 0},
           Row{29, 65536, 4, 65536 + 115, 1},
           // An open record: its plaintext is pending, its overhead does not exist yet.
           Row{22, 300, 0, 0, 300},
           Row{22, 16384 + 300, 1, 16406, 300},
       }) {
    CAPTURE(row.overhead);
    CAPTURE(row.plaintext);
    CAPTURE(row.in_tcp);
    Ledger ledger = based(row.overhead, 7, 5000, 5000);
    ledger.handed(row.plaintext);
    CHECK(ledger.observe(7 + row.records, 5000 + row.in_tcp, 5000));
    CHECK(ledger.pending() == row.pending);
    CHECK(ledger.records() == row.records);
    CHECK(ledger.pending_at_most() == row.pending);
  }
}

TEST_CASE("ledger: the payload of a control record counts as plaintext") {
  Ledger ledger = based(22, 1, 0, 0);
  ledger.handed(2);
  CHECK(ledger.observe(2, 0, 0));
  CHECK(ledger.pending() == 24);
  CHECK(ledger.observe(2, 24, 0));
  CHECK(ledger.pending() == 0);
  CHECK(ledger.plaintext() == 2);
}

TEST_CASE("ledger: TCP that has more than was handed over is a contradiction, not a huge number") {
  Ledger ledger = based(22, 1, 100, 100);
  ledger.handed(10);
  CHECK_FALSE(ledger.observe(2, 100 + 33, 100));
  CHECK(ledger.pending() == 0);
  CHECK(ledger.observe(2, 100 + 32, 100));
  CHECK(ledger.pending() == 0);
}

TEST_CASE("ledger: what was handed since the last look may be pending") {
  Ledger ledger = based(22, 1, 0, 0);
  ledger.handed(1000);
  CHECK(ledger.pending() == 0);  // not looked yet
  CHECK(ledger.pending_at_most() >= 1022);
  CHECK(ledger.observe(2, 1022, 0));
  CHECK(ledger.pending_at_most() == 0);
  ledger.handed(500);
  ledger.handed(500);
  CHECK(ledger.pending_at_most() >= 1000 + 2 * 22);
  CHECK(ledger.sequence_at_most() >= 4);
}

TEST_CASE("ledger: pending_at_most bounds what the kernel can make of the calls") {
  // `calls` of `bytes` each, every one of which ends its last record: the most records there can
  // be.
  for (uint64_t bytes : {1u, 2u, 16383u, 16384u, 16385u, 32768u, 65535u, 65536u}) {
    for (uint64_t calls : {1u, 2u, 7u}) {
      CAPTURE(bytes);
      CAPTURE(calls);
      Ledger ledger = based(29, 0, 0, 0);
      const uint64_t records = calls * ((bytes + 16383) / 16384);
      for (uint64_t i = 0; i < calls; i++) ledger.handed(bytes);
      const uint64_t bound = ledger.pending_at_most();
      const uint64_t sequence_bound = ledger.sequence_at_most();
      CHECK(ledger.observe(records, 0, 0));
      CHECK(ledger.pending() <= bound);
      CHECK(bound <= ledger.pending() + 29 * (calls + 1));  // and is no idle bound
      CHECK(records <= sequence_bound);
    }
  }
}

TEST_CASE("ledger: what TCP has at the least lowers the bound, and no figure else") {
  Ledger ledger = based(22, 1, 1000, 1000);
  ledger.handed(100'000);  // 7 records at most
  ledger.bound(900);       // of the handshake
  CHECK(ledger.pending_at_most() == 100'000 + 7 * 22);
  ledger.bound(1000 + 60'000);
  CHECK(ledger.pending_at_most() == 40'000 + 7 * 22);
  ledger.bound(1000 + 50'000);  // less than what is known
  CHECK(ledger.pending_at_most() == 40'000 + 7 * 22);
  CHECK(ledger.pending() == 0);
  CHECK(ledger.sequence_at_most() == 8);
  CHECK_FALSE(ledger.settled());
  ledger.handed(16'384);
  CHECK(ledger.pending_at_most() == 40'000 + 16'384 + 9 * 22);
  CHECK(ledger.observe(9, 1000 + 70'000, 1000));
  CHECK(ledger.pending() == 116'384 + 8 * 22 - 70'000);
  CHECK(ledger.pending_at_most() == ledger.pending());
}

TEST_CASE("ledger: a bound is of no use after a contradiction, and does no harm") {
  Ledger ledger = based(22, 1, 0, 0);
  ledger.handed(10);
  CHECK_FALSE(ledger.observe(2, 40, 0));
  ledger.bound(50);
  CHECK(ledger.pending_at_most() == 0);
  CHECK_FALSE(ledger.settled());
  ledger.handed(1000);
  CHECK(ledger.pending_at_most() > 900);
}

TEST_CASE("ledger: what the peer has not acknowledged") {
  Ledger ledger = based(22, 1, 100, 100);
  ledger.handed(1000);
  CHECK(ledger.observe(2, 100 + 1022, 100 + 1000));
  CHECK(ledger.unacked() == 22);
  CHECK(ledger.observe(2, 100 + 1022, 100 + 1023));  // a FIN adds one
  CHECK(ledger.unacked() == 0);
}
