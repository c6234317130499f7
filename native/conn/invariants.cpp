// SPDX-License-Identifier: Apache-2.0
// What holds of a connection whenever its turn is over: which of its groups are alive in which
// state. A state that leaves something behind, or an operation that nobody waits for, is found here
// and not as a wrong byte later. See dispatch.hpp for the builds that have this.
#include "base/assert.hpp"
#include "conn/dispatch.hpp"
#include "conn/h2/mux.hpp"

#ifdef SPLICED_CHECK_INVARIANTS

namespace spliced::conn {
namespace {

// A implies B: where A does not hold, nothing is said.
constexpr bool implies(bool a, bool b) {
  return !a || b;
}

bool ends(State state) {
  return state == State::CloseNotify || state == State::Settle || state == State::Linger ||
         state == State::Join;
}

bool has_response(State state) {
  return state == State::OpenFile || state == State::Respond || state == State::Splice;
}

bool has_exchange(State state) {
  return state == State::Connect || state == State::Exchange || state == State::Tunnel;
}

// The ring: what it holds is counted, and there is somebody whom it wakes.
void assert_operations(const Connection& c) {
  const Operations& o = c.ops;
  SPLICED_ASSERT(o.inflight >= (o.watching ? 1u : 0u) + (o.sending ? 1u : 0u));
  SPLICED_ASSERT(o.watching || c.state == State::Join);
  SPLICED_ASSERT(!(o.sending && o.send_done));
  SPLICED_ASSERT(implies(o.sending, !c.output.empty()));
  SPLICED_ASSERT(implies(o.sending, c.state == State::Respond || c.h2 || c.state == State::Join));
}

// Every wait has an end, but that for what the kernel holds.
void assert_times(const Connection& c) {
  SPLICED_ASSERT(c.times.deadline_ms != 0 || c.state == State::Join);
  SPLICED_ASSERT(implies(c.times.tick_due_ms != 0, c.times.ticking));
}

// TLS: OpenSSL has the connection, or a thread that signs, or the kernel; one of them. A handshake
// that nobody could sign for lingers without.
void assert_tls(const Connection& c) {
  const TlsState& t = c.tls;
  const bool with_openssl = t.session != nullptr, signing = t.signing != nullptr;
  const int with = (with_openssl ? 1 : 0) + (signing ? 1 : 0) + (t.offloaded ? 1 : 0);
  const bool unsigned_end = with == 0 && t.was_signed && c.state == State::Linger;
  SPLICED_ASSERT(with == 1 || unsigned_end || c.state == State::Join);
  SPLICED_ASSERT(t.offloaded == (t.cipher != nullptr));
  SPLICED_ASSERT(implies(c.state == State::Handshake, !t.offloaded));
  SPLICED_ASSERT(implies(signing, c.state == State::Handshake));
  SPLICED_ASSERT(implies(t.secrets != nullptr, t.offloaded));
  SPLICED_ASSERT(implies(t.key_update_due || t.key_update_asked, t.secrets != nullptr));
}

// A request, of the connection itself or of one of its streams: only the state that it is in has
// something to work on.
void assert_request(const Request& r, State state, uint32_t inflight) {
  SPLICED_ASSERT(implies(r.exchange != nullptr, has_exchange(state) || state == State::Join));
  SPLICED_ASSERT(implies(r.upload != nullptr, state == State::Receive || state == State::Join));
  const bool has_body = r.file || r.handed || r.parts || r.body_remaining > 0;
  SPLICED_ASSERT(implies(has_body, has_response(state) || state == State::Join));
  SPLICED_ASSERT(implies(static_cast<bool>(r.pipe),
                         has_response(state) || has_exchange(state) || state == State::Join));
  SPLICED_ASSERT(implies(r.pipe_bytes > 0, static_cast<bool>(r.pipe)));
  SPLICED_ASSERT(implies(r.filling, inflight > 0));
  SPLICED_ASSERT(implies(r.witness != nullptr, r.file != nullptr));
}

// HTTP/2 has its streams, and the connection's own request nothing.
void assert_streams(const Connection& c) {
  const bool in_streams = c.state == State::AwaitStreams || c.state == State::Streams;
  SPLICED_ASSERT(implies(in_streams, c.h2 != nullptr));
  if (!c.h2) return;
  SPLICED_ASSERT(in_streams || ends(c.state));
  uint32_t inflight = 0;
  for (const Stream* st : c.h2->streams) {
    inflight += st->inflight;
    assert_request(st->request, st->state, st->inflight);
  }
  SPLICED_ASSERT(inflight + (c.ops.watching ? 1u : 0u) + (c.ops.sending ? 1u : 0u) <=
                 c.ops.inflight);
  SPLICED_ASSERT(c.request.file == nullptr && !c.request.pipe && !c.request.exchange);
}

// The end: what has been said to the peer, and that an ordinary one leaves nothing pending.
void assert_closing(const Connection& c) {
  const Closing& e = c.closing;
  SPLICED_ASSERT(implies(e.farewell_sent || e.fin_sent, ends(c.state)));
  SPLICED_ASSERT(implies(e.drain_began_ms != 0, ends(c.state)));
  if (c.state == State::CloseNotify || c.state == State::Settle || c.state == State::Linger)
    SPLICED_ASSERT(c.output.empty() && c.request.pipe_bytes == 0);
  if (c.state == State::Linger && c.tls.offloaded)
    SPLICED_ASSERT(e.fin_sent && c.pending.ledger.settled());
}

void assert_free(const Connection& c) {
  SPLICED_ASSERT(c.socket == -1 && c.ops.inflight == 0 && c.times.deadline_ms == 0);
  SPLICED_ASSERT(!c.tls.session && !c.tls.signing && !c.tls.client && !c.tls.secrets && !c.h2);
  SPLICED_ASSERT(!c.request.file && !c.request.pipe && !c.request.exchange && !c.request.upload);
  SPLICED_ASSERT(!c.place.placed && c.pending.reported == 0 && !c.pending.stuck);
}

}  // namespace

void assert_invariants(const Connection& c) {
  if (c.state == State::Free) return assert_free(c);
  SPLICED_ASSERT(c.socket >= 0);
  assert_operations(c);
  assert_times(c);
  assert_tls(c);
  assert_request(c.request, c.state, c.ops.inflight);
  assert_streams(c);
  assert_closing(c);
}

}  // namespace spliced::conn

#endif
