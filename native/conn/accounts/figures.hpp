// SPDX-License-Identifier: Apache-2.0
// All counters of the data plane. The engine's thread writes them, any thread reads them. Their
// names are those of the status document (engine/status.cpp).
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/counter.hpp"
#include "conn/state.hpp"
#include "files/file_cache.hpp"
#include "http/hand_over.hpp"
#include "tls/groups.hpp"
#include "tls/promote.hpp"

namespace spliced::conn {

inline constexpr uint16_t kStatuses[] = {
    101, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408,
    409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 429, 431, 500, 501, 502, 503, 504, 505,
    507};
inline constexpr size_t kStatusCount = sizeof kStatuses / sizeof *kStatuses;

struct Figures {
  using Counter = base::Counter;
  Counter shed_by[kSheds], evicted, overdue[kOverdues];
  Counter accept_pauses;  // out of descriptors or memory
  Counter accepted, shed, open, by_state[kStates];
  Counter requests, by_status[kStatusCount];
  Counter plaintext_sent_bytes, spliced_bytes, received_bytes;
  Counter received_spliced_bytes;  // of these: socket to pipe, without a copy
  Counter handshakes_full, handshakes_resumed, handshake_failures[tls::kHandshakeFailures];
  // Handshakes whose key failed, so that another certificate was used.
  Counter certificates_taken_over;
  Counter groups[tls::kGroups];  // handshakes by group of the key exchange
  // Handshakes in which a client certificate was requested: each is one of these three.
  Counter clients_verified, clients_missing, clients_refused[tls::kClientRefusals];
  Counter floods[tls::kFloods];
  Counter alerts_sent, control_records, record_limit_closes;
  Counter key_updates_sent, key_updates_received;  // with kernel TLS
  Counter promoted[tls::kCipherSpecs], fallbacks[tls::kFallbacks];
  // Failures of kernel TLS that the peer did not cause: the cipher's job failed or was refused, or
  // there was no memory for it.
  Counter encrypt_failures, decrypt_failures;
  Counter pending_bytes, pending_bytes_max, pauses, pushes;
  Counter ledgers_stuck, ledgers_stuck_ever;  // now; in all. See stuck.cpp
  Counter canaries, canaries_offloaded;       // connections of the canary; those with kernel TLS
  Counter aborted_in[kStates];                // by the state that gave up
  Counter drained, aborted, peer_gone, drain_last_ms, drain_max_ms;
  Counter drain_last_at_ms;  // base::now_ms() when the last drain ended
  // HTTP/2: connections that negotiated it, in all; streams open now, in all, and refused; streams
  // that were reset.
  Counter http2_connections, streams_open, streams_ever, streams_refused;
  Counter streams_reset_by_us, streams_reset_by_peer, streams_stalled, streams_malformed;
  Counter streams_misdirected;  // 421
  Counter http2_floods[kHttp2Floods];
  // Proxy routes.
  Counter upstreams_open, upstreams_idle, upstreams_opened, upstreams_reused, upstream_retries;
  Counter upstream_failures[kUpstreamFailures];
  Counter checks_passed, checks_remembered, checks_denied, checks_failed;
  Counter handed_over, hand_over_faults[http::kHandOverFaults];
  Counter websockets, websockets_ever;
  Counter stale_completions;      // never expected: a completion for an earlier owner of the slot
  Counter ledger_contradictions;  // never expected: TCP has more than was handed over
  files::Counters files;

  // Adds the figures of another engine: sums, but for a maximum the larger and for a time the
  // later.
  void add(const Figures& other);

  void count_status(uint16_t status) {
    requests.add();
    for (size_t i = 0; i < kStatusCount; i++)
      if (kStatuses[i] == status) by_status[i].add();
  }
};

inline void Figures::add(const Figures& other) {
  using base::Counter;
  static_assert(sizeof(Figures) % sizeof(Counter) == 0, "every member is a counter");
  const uint64_t max_bytes = std::max(pending_bytes_max.get(), other.pending_bytes_max.get());
  const uint64_t max_ms = std::max(drain_max_ms.get(), other.drain_max_ms.get());
  const Figures& later = drain_last_at_ms.get() > other.drain_last_at_ms.get() ? *this : other;
  const uint64_t last_ms = later.drain_last_ms.get(), last_at_ms = later.drain_last_at_ms.get();
  auto* to = reinterpret_cast<Counter*>(this);
  const auto* from = reinterpret_cast<const Counter*>(&other);
  for (size_t i = 0; i < sizeof(Figures) / sizeof(Counter); i++) to[i].add(from[i].get());
  pending_bytes_max.set(max_bytes);
  drain_max_ms.set(max_ms);
  drain_last_ms.set(last_ms);
  drain_last_at_ms.set(last_at_ms);
}

}  // namespace spliced::conn
