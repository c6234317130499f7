// SPDX-License-Identifier: Apache-2.0
// What all states share: the ring, the pools, the figures, the clock of this turn. One object for
// each engine, made by engine/, used on the engine's thread alone.
#pragma once
#include <algorithm>
#include <bitset>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "base/slot_table.hpp"
#include "conn/accounts/figures.hpp"
#include "conn/accounts/incident_log.hpp"
#include "conn/accounts/occupancy.hpp"
#include "conn/accounts/refusal_log.hpp"
#include "conn/accounts/waiting.hpp"
#include "conn/connection.hpp"
#include "conn/h2/stream.hpp"
#include "conn/proxy/upstream.hpp"
#include "files/file_cache.hpp"
#include "files/kept_body.hpp"
#include "http/date.hpp"
#include "http/head.hpp"
#include "http/path_prefixes.hpp"
#include "os/closer.hpp"
#include "os/host.hpp"
#include "os/mapped_windows.hpp"
#include "os/pipe_pool.hpp"
#include "ring/ring.hpp"
#include "tls/context.hpp"
#include "tls/probe.hpp"
#include "tls/signing.hpp"

namespace spliced::conn {

struct Options : PlaceLimits {
  uint32_t streams_max = limits::kStreamsMaxDefault;
  uint32_t requests_per_connection_max = limits::kRequestsPerConnectionMaxDefault;
  uint32_t send_rate_min_bytes_per_s = limits::kSendRateMinDefault;
  http::HeadLimits head;
  size_t upstream_head_bytes_max = limits::kUpstreamHeadBytesMax;
  uint64_t pending_window_bytes = limits::kPendingWindowBytesDefault;
  uint64_t records_per_key_max = limits::kRecordsPerKeyMax;
  uint64_t discarded_body_bytes_max = limits::kDiscardedBodyBytesMaxDefault;
  uint32_t handshake_timeout_ms = limits::kHandshakeTimeoutMsDefault;
  uint32_t head_timeout_ms = limits::kHeadTimeoutMsDefault;
  uint32_t request_timeout_ms = limits::kRequestTimeoutMsDefault;
  uint32_t idle_timeout_ms = limits::kIdleTimeoutMsDefault;
  uint32_t stall_timeout_ms = limits::kStallTimeoutMsDefault;
  uint32_t drain_timeout_ms = limits::kDrainTimeoutMsDefault;
  uint32_t linger_timeout_ms = limits::kLingerTimeoutMsDefault;
  bool offload_wanted = true;
};

// The answer to the daemon's own request (src/supervision/canary.ts).
struct Canary {
  files::FilePtr file;     // in memory, served to the canary alone; null: not made yet
  uint16_t port = 0;       // the port from which the next one comes; 0: none is expected
  bool in_kernel = false;  // it tries the kernel's cipher, even while that is suspended
  uint32_t open = 0;       // connections of the canary
};

// A socket that was accepted, how many engines have had no place for it, and the account that has
// it (null: none).
struct Arrival {
  int socket = -1;
  uint32_t refusals = 0;
  std::shared_ptr<Occupancy::Share> account = nullptr;
};

struct Services {
  static size_t slots_max(const Options& o) {
    return o.connections_max + limits::kCanarySlots + limits::kLeavingMax;
  }
  Services(const Options& o, ring::Ring& r, os::Closer& c, Figures& g, const tls::KernelSupport& k,
           Occupancy& all, Occupancy::Share& own)
      : options(o),
        ring(r),
        closer(c),
        figures(g),
        kernel(k),
        occupancy(all),
        share(own),
        slots(slots_max(o)),
        waiting(slots),
        upstreams(slots_max(o) + limits::kEngineStreamsMax),
        stream_slots(limits::kEngineStreamsMax) {}

  const Options options;
  ring::Ring& ring;
  os::Closer& closer;
  Figures& figures;
  const tls::KernelSupport& kernel;
  Occupancy& occupancy;     // of all engines
  Occupancy::Share& share;  // this engine's account in it
  os::PipePool pipes;
  os::PipePool frame_pipes{limits::kFramesPipeBytes};  // conn/h2/batch.hpp
  os::MappedWindows mapped_windows;                    // likewise
  BufferPool buffers;
  files::KeptBodies kept_bodies;
  std::shared_ptr<OpenSite> site;                                  // for new requests
  std::shared_ptr<const tls::ContextGeneration> generation;        // for new connections
  std::shared_ptr<const http::PathPrefixes> certificate_required;  // null: nowhere
  std::vector<std::shared_ptr<upload::Ticket>> uploads;            // at most limits::kUploadsMax
  std::function<std::string()> status_json;
  // Passes a socket for which no room could be made to another engine that may make room. False:
  // there is none. Empty: there is only one engine.
  std::function<bool(const Arrival&, const os::ClientKey&)> pass_on;
  ConnectionLog* connection_log = nullptr;  // null: it cannot be enabled
  RefusalLog* refusal_log = nullptr;        // likewise
  // The threads for keys that are not in memory, and the inbox of their results. Null: the engine's
  // own thread signs, and all its connections wait.
  tls::SigningPool* signatures = nullptr;
  std::shared_ptr<tls::SigningInbox> signed_inbox = std::make_shared<tls::SigningInbox>();
  IncidentLog* incident_log = nullptr;  // likewise
  bool offload_suspended = false;       // new connections stay in user space
  // By their place in tls::kCiphers: the ciphers of which more than a window was seen pending, so
  // that the kernel's driver returns before it has encrypted. A synchronous one never has more than
  // two records pending.
  std::bitset<tls::kCipherSpecs> asynchronous;
  Canary canary;

  base::SlotTable<Connection> slots;
  WaitingList waiting;
  Upstreams upstreams;
  base::SlotTable<StreamSlot> stream_slots;
  uint32_t checks = 0;            // requests that wait for a check: at most limits::kChecksMax
  std::vector<uint32_t> ready;    // after Turn::Yield: to be run again in the next turn
  std::vector<uint32_t> ticking;  // waiting for their tick_due_ms
  uint64_t next_deadline_ms = UINT64_MAX;  // a lower bound of all deadlines
  uint64_t turn = 0;                       // number of the loop's turn
  uint64_t now_ms = 0;                     // base::now_ms() of this turn
  int64_t wall_s = 0;                      // base::wall_s() of this turn, for HTTP dates alone
  bool stopping = false;
  uint64_t first_requests_until_ms = UINT64_MAX;  // once the stop has begun

  void set_deadline(Connection& c, uint64_t at_ms) {
    const bool waits = WaitingList::has(c.state);
    if (waits && !c.served) at_ms = std::min(at_ms, first_requests_until_ms);
    c.times.deadline_ms = at_ms;
    if (at_ms != 0 && at_ms < next_deadline_ms) next_deadline_ms = at_ms;
  }

  // Runs the connection again after its interval, which doubles while nothing moves.
  void tick(Connection& c) {
    if (c.times.tick_interval_ms == 0) c.times.tick_interval_ms = limits::kTickMs;
    c.times.tick_due_ms = now_ms + c.times.tick_interval_ms;
    if (c.times.tick_interval_ms < limits::kTickMsMax) c.times.tick_interval_ms *= 2;
    if (!c.times.ticking) ticking.push_back(c.slot);
    c.times.ticking = true;
  }

  // A free slot. The caller has asked slots.has_room().
  Connection& take_slot() {
    const size_t made = slots.size();
    Connection& c = slots.take();
    figures.by_state[static_cast<size_t>(State::Free)].add(slots.size() - made);
    return c;
  }

  // For the X-Request-Id field and the logs: a token that this device never repeats.
  std::string next_request_id() {
    if (request_ids_ == 0) os::random_bytes(&request_id_prefix_, sizeof request_id_prefix_);
    char text[48];
    const int bytes = ::snprintf(text, sizeof text, "%016" PRIx64 "-%" PRIu64, request_id_prefix_,
                                 ++request_ids_);
    return {text, static_cast<size_t>(bytes)};
  }

  // The Date field's value (RFC 9110 6.6.1), formatted once a second.
  std::string_view date() {
    if (wall_s != date_s_) date_text_ = http::format_date(wall_s);
    date_s_ = wall_s;
    return date_text_.view();
  }

 private:
  uint64_t request_id_prefix_ = 0, request_ids_ = 0;
  int64_t date_s_ = INT64_MIN;
  http::DateText date_text_{};
};

}  // namespace spliced::conn
