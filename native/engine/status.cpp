// SPDX-License-Identifier: Apache-2.0
// The snapshot that stats() returns and /.spliced/status serves. It reads counters that the
// engines' threads write. Each figure is exact; figures that are read together may differ by one
// event.
#include <initializer_list>

#include "base/clock.hpp"
#include "engine/board.hpp"
#include "engine/json.hpp"
#include "engine/service.hpp"
#include "h2/session.hpp"
#include "os/crypto_drivers.hpp"

#ifndef SPLICED_VERSION
#define SPLICED_VERSION "0.0.0"
#endif

namespace spliced::engine {
namespace {

using base::Counter;

void write_names(JsonWriter& json, const Counter* values, const char* const* names, size_t count) {
  for (size_t i = 0; i < count; i++) json.number(names[i], values[i].get());
}

// The driver that the kernel's crypto API would choose for gcm(aes) now.
void write_driver(JsonWriter& json) {
  const auto driver = os::preferred_driver(os::read_proc_crypto(), "gcm(aes)");
  if (!driver) {
    json.raw("driver", "null");
    return;
  }
  json.open("driver")
      .text("algorithm", "gcm(aes)")
      .text("name", driver->name)
      .integer("priority", driver->priority)
      .boolean("async", driver->async)
      .close();
}

void write_promoted(JsonWriter& json, const conn::Figures& f) {
  json.open("promoted");
  for (size_t i = 0; i < tls::kCipherSpecs; i++) {
    const tls::CipherSpec& spec = tls::kCiphers[i];
    uint64_t count = f.promoted[i].get();
    const bool pair = i + 1 < tls::kCipherSpecs && tls::kCiphers[i + 1].name == spec.name;
    if (pair) count += f.promoted[++i].get();
    const std::string name = std::string(tls::version_name(spec.version)) + " " + spec.name;
    if (count > 0) json.number(name, count);
  }
  json.close();
}

void write_connections(JsonWriter& json, const conn::Figures& f) {
  json.open("connections")
      .number("accepted", f.accepted.get())
      .number("shed", f.shed.get())
      .open("shedBy");
  write_names(json, f.shed_by, conn::kShedNames, conn::kSheds);
  json.close()
      .number("evicted", f.evicted.get())
      .number("acceptPauses", f.accept_pauses.get())
      .number("open", f.open.get())
      .open("byState");
  write_names(json, f.by_state + 1, conn::kStateNames + 1, conn::kStates - 1);
  json.close().close();
  json.open("overdue");
  write_names(json, f.overdue, conn::kOverdueNames, conn::kOverdues);
  json.close();
  json.open("requests").number("total", f.requests.get()).open("byStatus");
  for (size_t i = 0; i < conn::kStatusCount; i++) {
    const uint64_t count = f.by_status[i].get();
    if (count > 0) json.number(std::to_string(conn::kStatuses[i]), count);
  }
  json.close().close();
  json.open("bytes")
      .number("plaintextSent", f.plaintext_sent_bytes.get())
      .number("spliced", f.spliced_bytes.get())
      .number("received", f.received_bytes.get())
      .number("receivedSpliced", f.received_spliced_bytes.get())
      .close();
}

// The keys that are not in memory.
void write_signatures(JsonWriter& json, const tls::SigningPool::Report& report,
                      uint64_t taken_over) {
  json.open("signatures")
      .number("made", report.made)
      .number("failed", report.failed)
      .number("turnedAway", report.turned_away)
      .number("overdue", report.overdue)
      .number("takenOver", taken_over)
      .number("waiting", report.waiting)
      .number("threads", report.threads)
      .number("hanging", report.hanging)
      .open_array("failing");
  size_t shown = 0;
  for (const auto& key : report.keys) {
    const tls::KeyHealth::Report state = key->report();
    if (!state.failing || shown++ >= limits::kKeysShownMax) continue;
    json.open()
        .text("key", key->name().substr(0, limits::kKeyNameShownMax))
        .text("reason", state.reason)
        .number("sinceMs", base::now_ms() - state.since_ms)
        .close();
  }
  json.close_array().close();
}

void write_tls(JsonWriter& json, const conn::Figures& f,
               const tls::SigningPool::Report& signatures) {
  json.open("tls")
      .open("handshakes")
      .number("full", f.handshakes_full.get())
      .number("resumed", f.handshakes_resumed.get())
      .close()
      .open("groups");
  for (size_t i = 0; i < tls::kGroups; i++)
    if (f.groups[i].get() > 0) json.number(tls::kGroupNames[i], f.groups[i].get());
  json.close().open("failures");
  write_names(json, f.handshake_failures, tls::kHandshakeFailureNames, tls::kHandshakeFailures);
  json.close()
      .number("alertsSent", f.alerts_sent.get())
      .number("controlRecords", f.control_records.get())
      .number("recordLimitCloses", f.record_limit_closes.get())
      .open("keyUpdates")
      .number("received", f.key_updates_received.get())
      .number("sent", f.key_updates_sent.get())
      .close()
      .open("floods");
  write_names(json, f.floods, tls::kFloodNames, tls::kFloods);
  json.close();
  write_signatures(json, signatures, f.certificates_taken_over.get());
  json.close();
}

void write_http2(JsonWriter& json, const conn::Figures& f, bool wanted) {
  const char* const because =
      wanted ? h2::unavailable_because() : "it is not among the protocols of the configuration";
  json.open("http2")
      .boolean("offered", *because == '\0')
      .text("reason", because)
      .number("connections", f.http2_connections.get())
      .open("streams")
      .number("open", f.streams_open.get())
      .number("ever", f.streams_ever.get())
      .number("refused", f.streams_refused.get())
      .number("malformed", f.streams_malformed.get())
      .number("misdirected", f.streams_misdirected.get())
      .number("resetByUs", f.streams_reset_by_us.get())
      .number("resetByPeer", f.streams_reset_by_peer.get())
      .number("stalled", f.streams_stalled.get())
      .close()
      .open("floods");
  write_names(json, f.http2_floods, conn::kHttp2FloodNames, conn::kHttp2Floods);
  json.close().close();
}

void write_clients(JsonWriter& json, const conn::Figures& f) {
  json.open("clientCertificates")
      .number("verified", f.clients_verified.get())
      .number("missing", f.clients_missing.get())
      .open("refused");
  write_names(json, f.clients_refused, tls::kClientRefusalNames, tls::kClientRefusals);
  json.close().close();
}

void write_upstreams(JsonWriter& json, const conn::Figures& f) {
  json.open("upstreams")
      .number("open", f.upstreams_open.get())
      .number("idle", f.upstreams_idle.get())
      .number("opened", f.upstreams_opened.get())
      .number("reused", f.upstreams_reused.get())
      .number("retries", f.upstream_retries.get())
      .number("webSockets", f.websockets.get())
      .number("webSocketsEver", f.websockets_ever.get())
      .open("failures");
  write_names(json, f.upstream_failures, conn::kUpstreamFailureNames, conn::kUpstreamFailures);
  json.close()
      .number("checksPassed", f.checks_passed.get())
      .number("checksRemembered", f.checks_remembered.get())
      .number("checksDenied", f.checks_denied.get())
      .number("checksFailed", f.checks_failed.get())
      .number("handedOver", f.handed_over.get())
      .open("handOverFailures");
  write_names(json, f.hand_over_faults, http::kHandOverFaultNames, http::kHandOverFaults);
  json.close().close();
}

uint64_t draining(const conn::Figures& f) {
  uint64_t count = 0;
  for (conn::State state : {conn::State::CloseNotify, conn::State::Settle, conn::State::Linger})
    count += f.by_state[static_cast<size_t>(state)].get();
  return count;
}

void write_drains(JsonWriter& json, const conn::Figures& f, uint64_t window_bytes) {
  json.open("pending")
      .number("bytes", f.pending_bytes.get())
      .number("bytesMax", f.pending_bytes_max.get())
      .number("windowBytes", window_bytes)
      .number("pauses", f.pauses.get())
      .number("pushes", f.pushes.get())
      .number("stuck", f.ledgers_stuck.get())
      .number("stuckEver", f.ledgers_stuck_ever.get())
      .number("contradictions", f.ledger_contradictions.get())
      .close();
  json.open("drains")
      .number("drained", f.drained.get())
      .number("aborted", f.aborted.get())
      .number("peerGone", f.peer_gone.get())
      .number("inProgress", draining(f))
      .number("lastMs", f.drain_last_ms.get())
      .number("maxMs", f.drain_max_ms.get())
      .open("abortedIn");
  for (size_t i = 0; i < conn::kStates; i++) {
    const uint64_t count = f.aborted_in[i].get();
    if (count > 0) json.number(conn::kStateNames[i], count);
  }
  json.close().close();
  json.open("files")
      .number("open", f.files.open.get())
      .number("hits", f.files.hits.get())
      .number("misses", f.files.misses.get())
      .number("coldFills", f.files.cold_fills.get())
      .close();
}

// Writes "count", the figures of failover.ts, and then each engine's own.
void write_engine(JsonWriter& json, const Engine& engine) {
  const conn::Figures& f = engine.figures();
  json.open()
      .number("id", engine.id())
      .number("turns", engine.heartbeat())
      .number("connections", f.open.get())
      .number("accepted", f.accepted.get())
      .number("requests", f.requests.get())
      .number("bytesSent", f.plaintext_sent_bytes.get())
      .number("bytesReceived", f.received_bytes.get())
      .number("pendingBytes", f.pending_bytes.get())
      .close();
}

}  // namespace

std::string Service::status_json() const {
  conn::Figures all;
  JsonWriter engines;
  std::string backend, ring_detail;
  {
    std::lock_guard<std::mutex> lock(engines_mutex_);
    all.add(past_);
    for_each_engine([&](const Engine& engine) { all.add(engine.figures()); });
    uint64_t hanging = 0;
    for (const auto& engine : replaced_) hanging += engine->figures().open.get();
    engines.open()
        .number("count", engines_.size())
        .number("replaced", replacements_)
        .number("hanging", replaced_.size())
        .number("connectionsHanging", hanging)
        .open_array("each");
    for (const auto& engine : engines_) write_engine(engines, *engine);
    engines.close_array().close();
    backend = engines_.front()->backend();
    if (!backend.empty()) ring_detail = engines_.front()->ring_detail();
  }
  const Shown extra = shown();
  JsonWriter json;
  json.open()
      .text("version", SPLICED_VERSION)
      .number("uptimeMs", base::now_ms() - started_ms_)
      .open("ring")
      .text("backend", backend)
      .text("detail", ring_detail)
      .close()
      .raw("engines", engines.take());
  json.open("offload")
      .text("mode", options_.connections.offload_wanted ? "auto" : "off")
      .text("suspended", extra.suspended_because)
      .text("kernel", kernel_.attachable ? "available" : kernel_.reason);
  write_ciphers(json, kernel_);
  json.boolean("keyUpdates", kernel_.takes_new_keys());
  write_driver(json);
  write_promoted(json, all);
  json.open("fallbacks");
  write_names(json, all.fallbacks, tls::kFallbackNames, tls::kFallbacks);
  json.close()
      .open("cipherFailures")
      .number("encrypt", all.encrypt_failures.get())
      .number("decrypt", all.decrypt_failures.get())
      .close()
      .close();
  write_connections(json, all);
  write_tls(json, all, signatures_.report());
  write_http2(json, all, options_.http2);
  write_clients(json, all);
  write_upstreams(json, all);
  write_drains(json, all, options_.connections.pending_window_bytes);
  for (const auto& [name, text] : extra.annotations) json.raw(name, text);
  json.close();
  return json.take();
}

}  // namespace spliced::engine
