// SPDX-License-Identifier: Apache-2.0
// The end of every connection. Nothing more is given to the ring, except received bytes of uploads.
// The ring completes what it holds; a send that it was given before fails at the severed socket.
// Only then the closer gets the socket, and the slot is freed.
#include <new>
#include <utility>

#include "base/assert.hpp"
#include "conn/dispatch.hpp"
#include "conn/h2/mux.hpp"
#include "conn/proxy/exchange.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {
namespace {

void count_ending(Services& s, const Connection& c) {
  Figures& f = s.figures;
  if (c.closing.ending == Ending::Drained) f.drained.add();
  if (c.closing.ending == Ending::Aborted) f.aborted.add();
  if (c.closing.ending == Ending::PeerGone) f.peer_gone.add();
  if (c.closing.drain_began_ms == 0) return;
  const uint64_t took_ms = s.now_ms - c.closing.drain_began_ms;
  f.drain_last_ms.set(took_ms);
  f.drain_last_at_ms.set(s.now_ms);
  f.drain_max_ms.raise_to(took_ms);
}

void log_ending(Services& s, Connection& c) {
  ConnectionRecord& record = *c.record;
  record.duration_ms = s.now_ms - record.began_ms;
  record.requests = c.requests;
  record.bytes = c.pending.ledger.plaintext();
  record.offloaded = c.tls.offloaded;
  record.ending = kEndingNames[static_cast<size_t>(c.closing.ending)];
  s.connection_log->add(std::move(record));
}

// Resets everything but the slot's identity and its places in the queues.
void reset(Connection& c) {
  const uint32_t slot = c.slot, generation = c.generation;
  const State state = c.state;
  const bool ticking = c.times.ticking, ready = c.ready;
  c.~Connection();
  new (&c) Connection;
  c.slot = slot;
  c.generation = generation + 1;
  c.state = state;
  c.times.ticking = ticking;
  c.ready = ready;
}

}  // namespace

void abort(Services& s, Connection& c, Ending ending) {
  if (c.state == State::Join) return;
  os::sever(c.socket);
  if (c.closing.ending == Ending::None)
    c.closing.ending = ending;  // the verdict of a refusal stands
  if (c.closing.ending == Ending::Aborted) s.figures.aborted_in[static_cast<size_t>(c.state)].add();
  end_signature(s, c, false);
  enter(s, c, State::Join);
}

Turn join(Services& s, Connection& c) {
  release_exchange(s, c.request);
  if (c.ops.watching) {
    s.ring.cancel(c.socket, token_of(c, ring::Kind::Watch));
    c.ops.watching = false;  // `inflight` still counts its last completion
  }
  if ((c.h2 && write_streams_rest(s, *c.h2)) || c.ops.inflight > 0) return Turn::Wait;
  SPLICED_ASSERT(!c.request.filling);
  if (c.h2) destroy_streams(s, *c.h2);
  c.h2.reset();
  c.tls.session.reset();
  s.closer.close(c.socket);
  c.socket = -1;
  if (c.request.pipe) s.pipes.give(std::move(c.request.pipe), false);
  c.input.release(s.buffers);
  c.output.release(s.buffers);
  report_pending(s, c, 0);
  report_stuck(s, c, false);
  count_ending(s, c);
  if (c.record) log_ending(s, c);
  s.figures.open.sub();
  if (c.place.placed)
    s.occupancy.leave(s.share, c.place.client_key, c.place.leaving);
  else
    s.occupancy.socket_gone(s.share);
  if (c.place.canary) s.canary.open--;
  enter(s, c, State::Free);
  reset(c);
  s.slots.give(c);
  return Turn::Wait;
}

}  // namespace spliced::conn
