// SPDX-License-Identifier: Apache-2.0
// A handshake whose key is not in memory. Its session goes to the signing threads (tls/signing.hpp)
// and returns through the engine's mailbox. Meanwhile the connection has no session. In the state
// Handshake it waits for the session, for its deadline, or for its client to leave.
#include "base/assert.hpp"
#include "conn/dispatch.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {

Turn begin_signature(Services& s, Connection& c) {
  c.tls.was_signed = true;
  const tls::RemoteKey key = c.tls.session->remote_key();
  if (s.signatures == nullptr) {
    std::string reason;
    (void)c.tls.session->sign(reason);
    return Turn::Again;
  }
  c.tls.signing =
      std::make_shared<tls::SigningJob>(std::move(c.tls.session), key, s.signed_inbox,
                                        tls::SigningInbox::Signed{c.slot, c.generation});
  if (!s.signatures->submit(c.tls.signing)) {
    c.tls.signing.reset();
    return fail_signature(s, c);
  }
  s.set_deadline(c, s.now_ms + limits::kSignatureWaitMs);
  return Turn::Wait;
}

// A client that has left needs no signature, so its place in the queue goes to the next.
Turn wait_for_signature(Services& s, Connection& c) {
  if (!c.edges.half_closed && !c.edges.peer_hung_up) return Turn::Wait;
  end_signature(s, c, false);
  return fail_handshake(s, c, tls::HandshakeFailure::PeerClosed);
}

void take_signatures(Services& s) {
  for (const tls::SigningInbox::Signed& done : s.signed_inbox->take()) {
    Connection& c = s.slots[done.slot];
    if (c.generation != done.generation || !c.tls.signing) continue;  // abandoned meanwhile
    c.tls.session = s.signatures->collect(*c.tls.signing);
    c.tls.signing.reset();
    s.set_deadline(c, s.now_ms + s.options.handshake_timeout_ms);
    if (!c.tls.session) (void)fail_signature(s, c);
    run(s, c);
  }
}

void end_signature(Services& s, Connection& c, bool overdue) {
  if (!c.tls.signing) return;
  s.signatures->give_up(c.tls.signing, overdue);
  c.tls.signing.reset();
}

// Nothing of the server's flight has been sent, so there are no keys yet: internal_error goes out
// unencrypted (RFC 8446 6, RFC 5246 7.2).
Turn fail_signature(Services& s, Connection& c) {
  constexpr char kAlert[] = {21, 3, 3, 0, 2, 2, 80};
  SPLICED_ASSERT(!c.tls.session && !c.tls.signing);
  (void)os::send_bytes(c.socket, kAlert, sizeof kAlert, false);
  return fail_handshake(s, c, tls::HandshakeFailure::Signature);
}

}  // namespace spliced::conn
