// SPDX-License-Identifier: Apache-2.0
// One connection's slot: the transport, and the one request that HTTP/1.1 has over it at a time.
// Its memory stays where it is while the kernel may point into it; `ops.inflight` counts what the ring
// still holds, for the request too, and the slot is freed only at 0 (join.cpp). Only enter() writes
// `state`.
#pragma once
#include <cstdint>
#include <memory>

#include "conn/accounts/connection_log.hpp"
#include "conn/buffer.hpp"
#include "conn/h2/mux_ptr.hpp"
#include "conn/ledger.hpp"
#include "conn/request/request.hpp"
#include "conn/state.hpp"
#include "tls/session.hpp"
#include "tls/signing.hpp"

namespace spliced::conn {

inline constexpr uint32_t kNoSlot = UINT32_MAX;

// A handshake message that is passed over, as far as it has come.
struct Hello {
  uint8_t header_bytes = 0;
  uint32_t left = 0;  // of its body, once the header is there
};

// What the ring holds of a connection, and what came back of its send.
struct Operations {
  uint32_t inflight = 0;  // final completions that are still to come; for the request, too
  bool watching = false;
  bool sending = false;     // `output`: neither changed nor counted until the completion
  bool send_done = false;   // that has come, with:
  int32_t send_result = 0;  // bytes, or a negative errno
};

// What readiness has told. Edge-triggered: "try", cleared by WouldBlock.
struct Edges {
  bool readable = true;
  bool writable = true;
  bool half_closed = false;   // POLLRDHUP was seen
  bool peer_hung_up = false;  // POLLHUP was seen
  bool socket_error = false;  // POLLERR was seen: the next send says what it is
  // Whether to look for the next request as soon as a response is out, or to wait for its edge: a
  // look in vain is a system call for each request. See finish_response().
  bool read_short = false;  // the last read left room, and no edge came since: nothing can be there
                            // but a control record behind the data (KERNEL.md); a tick looks
  bool prompt = false;      // the last request was there by the turn after the response before it
  uint64_t responded_turn = 0;  // Services::turn
};

// Its place among the service's: Services::occupancy, and the list of those that could make room.
struct Place {
  bool placed = false;  // it has a place in Services::occupancy, for `client_key`
  os::ClientKey client_key;
  bool canary = false;   // the daemon's own: may use the reserved slot, and alone gets its body
  bool leaving = false;  // it makes room for another: its close does not wait for the peer's
  uint64_t waiting_since_ms = 0;
  uint32_t waiting_before = kNoSlot, waiting_after = kNoSlot;  // WaitingList
};

// Who does TLS: OpenSSL's `session`, or after promotion the kernel, with `cipher`. While a
// signature is waited for, `signing` has the session.
struct TlsState {
  std::unique_ptr<tls::Session> session;
  std::shared_ptr<tls::SigningJob> signing;
  bool was_signed = false;                            // by a key that is not in memory
  std::unique_ptr<const tls::ClientIdentity> client;  // verified; outlives `session`
  bool renegotiation_declined = false;
  Hello declined_hello;
  // With the kernel.
  bool offloaded = false;
  const tls::CipherSpec* cipher = nullptr;
  uint32_t records_without_data = 0;  // in a row
  uint64_t receive_sequence_at_most = 0;
  // key_update.cpp; null: the kernel takes no new keys for this connection.
  std::unique_ptr<tls::TrafficSecrets> secrets;
  bool key_update_due = false;    // ours, before the next application data
  bool key_update_asked = false;  // of the peer, which has not answered yet
};

// What was handed over, and is not TCP's yet.
struct Pending {
  Ledger ledger;
  uint8_t bounds_to_skip = 0;    // see over_window()
  size_t open_record_bytes = 0;  // plaintext of the last record, which MSG_MORE left open
  uint64_t accepted_mark = 0;    // of TCP, at the last observation
  uint64_t cipher_owes_ms = 0;   // since when the cipher alone holds bytes back; 0: it does not
  uint64_t reported = 0;         // this connection's share of Figures::pending_bytes
  bool stuck = false;            // counted in Figures::ledgers_stuck
};

// Its deadline and its tick, in milliseconds of base::now_ms(), and how fast the peer is.
struct Times {
  uint64_t deadline_ms = 0;   // 0: none
  uint64_t progress_ms = 0;   // since when what the peer's TCP acknowledges is measured
  uint64_t acked_mark = 0;    // what it had acknowledged then
  uint64_t stall_due_ms = 0;  // Respond, Splice: when that is judged
  bool lags = false;          // it had to be waited for, and has not acknowledged all since
  uint64_t tick_due_ms = 0;
  uint32_t tick_interval_ms = 0;
  bool ticking = false;
};

// How it ends.
struct Closing {
  Ending ending = Ending::None;
  bool peer_done = false;  // it said goodbye between two requests
  bool deaf = false;       // what it sends cannot be decrypted any more
  uint8_t farewell = 0;    // AlertDescription of the last record: close_notify, or why we end it
  bool farewell_sent = false;
  bool fin_sent = false;
  uint64_t drain_began_ms = 0;
};

struct Connection {
  uint32_t slot = 0;
  uint32_t generation = 0;
  State state = State::Free;
  int socket = -1;  // owned; closed by os::Closer through join.cpp alone

  Operations ops;
  Edges edges;
  Place place;
  TlsState tls;
  Pending pending;
  Times times;
  Closing closing;

  Span input;   // the request being read, and what was pipelined behind it
  Span output;  // the response being sent, in the order of the wire

  // HTTP/1.1: the one that it has at a time.
  Request request{*this};
  MuxPtr h2;              // HTTP/2; null: HTTP/1.1
  bool served = false;    // a response was begun
  uint32_t requests = 0;  // had until now
  bool ready = false;     // in Services::ready

  uint64_t rate_max_bytes_per_s = 0;         // as TCP was told; 0: none
  std::unique_ptr<ConnectionRecord> record;  // only while ended connections are logged
};

}  // namespace spliced::conn
