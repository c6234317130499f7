// SPDX-License-Identifier: Apache-2.0
// From a new slot to a connection that can read requests: runs OpenSSL's handshake. At its end the
// kernel takes over (tls/promote.cpp), or the reason is counted.
#include <memory>
#include <utility>

#include "base/assert.hpp"
#include "conn/dispatch.hpp"
#include "conn/h2/mux.hpp"
#include "os/socket_io.hpp"
#include "tls/ktls.hpp"
#include "tls/promote.hpp"

namespace spliced::conn {
namespace {

void count_fallback(Services& s, tls::Fallback reason) {
  s.figures.fallbacks[static_cast<size_t>(reason)].add();
}

void commit(Services& s, Connection& c, tls::Promotion& promotion) {
  Ledger::Base base;
  base.record_overhead_bytes = promotion.cipher->record_overhead_bytes();
  base.sequence = promotion.transmit_sequence;
  // What the handshake's sends returned is TCP's, to the byte. A reading may be too small, by an
  // acknowledgement between its two calls, and then the ledger would for ever see too much in TCP.
  base.tcp_accepted = c.tls.session->bytes_sent();
  base.tcp_acked = base.tcp_accepted;  // acknowledgements of the handshake do not count
  c.pending.ledger = Ledger(base);
  c.tls.receive_sequence_at_most = promotion.receive_sequence;
  c.tls.offloaded = true;
  c.tls.cipher = promotion.cipher;
  c.tls.secrets = std::move(promotion.secrets);
  c.tls.session.reset();
  s.figures.promoted[promotion.cipher - tls::kCiphers].add();
  if (c.place.canary) s.figures.canaries_offloaded.add();
}

// The reason why the kernel must not encrypt this connection. While kernel TLS is suspended, only
// canaries try it.
std::optional<tls::Fallback> unwanted(const Services& s, const Connection& c) {
  if (!s.options.offload_wanted) return tls::Fallback::OffByConfiguration;
  if (c.place.canary ? !s.canary.in_kernel : s.offload_suspended) return tls::Fallback::Suspended;
  return std::nullopt;
}

// To be called before the promotion, which frees the session.
void take_client(Services& s, Connection& c) {
  if (!c.tls.session->asked_for_certificate()) return;
  c.tls.client = c.tls.session->client_identity();
  (c.tls.client ? s.figures.clients_verified : s.figures.clients_missing).add();
}

Turn established(Services& s, Connection& c) {
  take_client(s, c);
  (c.tls.session->resumed() ? s.figures.handshakes_resumed : s.figures.handshakes_full).add();
  const size_t group = c.tls.session->group();
  if (group < tls::kGroups) s.figures.groups[group].add();
  std::unique_ptr<const tls::ServedName> name;  // HTTP/2
  if (c.tls.session->agreed_on_http2()) name = c.tls.session->served_name();
  if (const tls::RemoteKey& failing = c.tls.session->remote_key();
      failing.health && !c.tls.was_signed) {
    s.figures.certificates_taken_over.add();
    if (s.signatures != nullptr) s.signatures->try_again(failing);
  }
  tls::Promotion promotion = tls::promote(c.socket, *c.tls.session, s.kernel, unwanted(s, c));
  switch (promotion.outcome) {
    case tls::Promotion::Outcome::Kernel:
      commit(s, c, promotion);
      break;
    case tls::Promotion::Outcome::UserSpace:
      count_fallback(s, promotion.fallback);
      break;
    case tls::Promotion::Outcome::Broken:
      count_fallback(s, promotion.fallback);
      abort(s, c, Ending::NotServed);
      return Turn::Again;
  }
  c.edges.readable =
      true;  // the edge for input behind the client's Finished has been reported already
  if (name)
    begin_http2(s, c, std::move(name));
  else
    enter(s, c, State::ReadHead);
  return Turn::Again;
}

}  // namespace

Turn handshake(Services& s, Connection& c) {
  if (c.tls.signing) return wait_for_signature(s, c);
  switch (c.tls.session->handshake()) {
    case tls::Handshake::Done:
      return established(s, c);
    case tls::Handshake::NeedRead:
    case tls::Handshake::NeedWrite:
      return Turn::Wait;
    case tls::Handshake::Busy:
      return Turn::Yield;
    case tls::Handshake::NeedSignature:
      return begin_signature(s, c);
    case tls::Handshake::Failed:
      break;
  }
  return fail_handshake(s, c, c.tls.session->failure());
}

Turn fail_handshake(Services& s, Connection& c, tls::HandshakeFailure reason) {
  if (c.record) c.record->failure = tls::kHandshakeFailureNames[static_cast<size_t>(reason)];
  s.figures.handshake_failures[static_cast<size_t>(reason)].add();
  if (reason == tls::HandshakeFailure::ClientCertificate) {
    const auto refusal = static_cast<size_t>(c.tls.session->client_refusal());
    s.figures.clients_refused[refusal].add();
    if (s.refusal_log != nullptr)
      s.refusal_log->add(c.socket, tls::kClientRefusalNames[refusal],
                         c.tls.session->refused_subject());
  }
  c.closing.ending = Ending::NotServed;
  if (reason == tls::HandshakeFailure::PeerClosed) {
    abort(s, c, Ending::NotServed);
    return Turn::Again;
  }
  // The alert has been sent. An orderly FIN follows it, so that no reset overtakes it.
  os::half_close(c.socket);
  enter(s, c, State::Linger);
  return Turn::Again;
}

}  // namespace spliced::conn
