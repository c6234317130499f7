// SPDX-License-Identifier: Apache-2.0
// Why bytes are pending: because of a slow or stalled client, which is ordinary and has its
// deadlines (deadline.cpp), or because the cipher does not complete, which is a fault of the
// machine and a case for the watchdog. While TCP has unacknowledged or unsent bytes of the
// connection, the client may be the reason. When TCP has nothing left to do, only the TLS layer can
// be.
#include "conn/dispatch.hpp"

namespace spliced::conn {
namespace {

// The plaintext of an open record waits for more data, not for the cipher.
bool cipher_owes(const Connection& c, const os::TcpCounters& tcp) {
  const bool tcp_is_done = tcp.idle && tcp.accepted == tcp.acked;
  return !tcp.closed && tcp_is_done && c.pending.ledger.pending() > c.pending.open_record_bytes &&
         tcp.accepted == c.pending.accepted_mark;
}

}  // namespace

void report_stuck(Services& s, Connection& c, bool stuck) {
  if (c.pending.stuck == stuck) return;
  c.pending.stuck = stuck;
  if (!stuck) return s.figures.ledgers_stuck.sub();
  s.figures.ledgers_stuck.add();
  s.figures.ledgers_stuck_ever.add();
}

void watch_cipher(Services& s, Connection& c, const os::TcpCounters& tcp) {
  const bool owes = cipher_owes(c, tcp);
  c.pending.accepted_mark = tcp.accepted;
  if (!owes) {
    c.pending.cipher_owes_ms = 0;
    return report_stuck(s, c, false);
  }
  if (c.pending.cipher_owes_ms == 0) c.pending.cipher_owes_ms = s.now_ms;
  if (s.now_ms - c.pending.cipher_owes_ms >= limits::kCipherStuckMs) report_stuck(s, c, true);
}

}  // namespace spliced::conn
