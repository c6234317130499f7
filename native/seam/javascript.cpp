// SPDX-License-Identifier: Apache-2.0
// See javascript.hpp.
#include "seam/javascript.hpp"

namespace spliced::seam {
namespace {

struct Pulse {
  uint64_t heartbeat = 0, connections = 0, ledgers_stuck = 0, canaries = 0, canaries_offloaded = 0;

  void add(const engine::Engine& engine) {
    const conn::Figures& figures = engine.figures();
    heartbeat += engine.heartbeat();
    connections += figures.open.get();
    ledgers_stuck += figures.ledgers_stuck.get();
    canaries += figures.canaries.get();
    canaries_offloaded += figures.canaries_offloaded.get();
  }
};

Napi::Object to_javascript(Napi::Env env, const Pulse& pulse) {
  Napi::Object out = Napi::Object::New(env);
  const auto set = [&](const char* name, uint64_t value) {
    out.Set(name, static_cast<double>(value));
  };
  set("heartbeat", pulse.heartbeat);
  set("connections", pulse.connections);
  set("ledgersStuck", pulse.ledgers_stuck);
  set("canaries", pulse.canaries);
  set("canariesOffloaded", pulse.canaries_offloaded);
  return out;
}

}  // namespace

Napi::Object pulse_to_javascript(Napi::Env env, engine::Service& service) {
  Napi::Array engines = Napi::Array::New(env, service.engines());
  Pulse all;
  for (uint32_t i = 0; i < service.engines(); i++) {
    Pulse one;
    one.add(service.engine(i));
    all.add(service.engine(i));
    Napi::Object entry = to_javascript(env, one);
    entry.Set("id", static_cast<double>(service.engine(i).id()));
    entry.Set("hasEnded", service.engine(i).has_ended());
    engines.Set(i, entry);
  }
  Napi::Object out = to_javascript(env, all);
  out.Set("engines", engines);
  out.Set("enginesHanging", static_cast<double>(service.replaced()));
  return out;
}

Napi::Object to_javascript(Napi::Env env, const engine::Event& event) {
  Napi::Object out = Napi::Object::New(env);
  switch (event.type) {
    case engine::Event::Type::Started:
      out.Set("type", "started");
      out.Set("ring", event.backend);
      out.Set("reason", event.reason);
      break;
    case engine::Event::Type::Stopped:
      out.Set("type", "stopped");
      out.Set("drained", static_cast<double>(event.drained));
      out.Set("aborted", static_cast<double>(event.aborted));
      out.Set("durationMs", static_cast<double>(event.duration_ms));
      break;
    case engine::Event::Type::Failed:
      out.Set("type", "failed");
      out.Set("reason", event.reason);
      break;
    case engine::Event::Type::Released:
      out.Set("type", "released");
      out.Set("engine", static_cast<double>(event.engine));
      out.Set("drained", static_cast<double>(event.drained));
      out.Set("aborted", static_cast<double>(event.aborted));
      break;
  }
  return out;
}

Napi::Object to_javascript(Napi::Env env, const conn::ConnectionLog::Batch& batch) {
  Napi::Array records = Napi::Array::New(env, batch.records.size());
  for (uint32_t i = 0; i < batch.records.size(); i++) {
    const conn::ConnectionRecord& record = batch.records[i];
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("peer", record.peer);
    entry.Set("durationMs", static_cast<double>(record.duration_ms));
    entry.Set("requests", static_cast<double>(record.requests));
    entry.Set("bytesSent", static_cast<double>(record.bytes));
    entry.Set("offloaded", record.offloaded);
    entry.Set("ending", record.ending);
    if (*record.failure != 0) entry.Set("handshakeFailure", record.failure);
    records.Set(i, entry);
  }
  Napi::Object out = Napi::Object::New(env);
  out.Set("records", records);
  out.Set("lost", static_cast<double>(batch.lost));
  return out;
}

Napi::Object to_javascript(Napi::Env env, const conn::RefusalLog::Batch& batch) {
  Napi::Array refused = Napi::Array::New(env, batch.refused.size());
  for (uint32_t i = 0; i < batch.refused.size(); i++) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("peer", batch.refused[i].peer);
    entry.Set("reason", batch.refused[i].reason);
    entry.Set("subject", batch.refused[i].subject);
    refused.Set(i, entry);
  }
  Napi::Object out = Napi::Object::New(env);
  out.Set("refused", refused);
  out.Set("lost", static_cast<double>(batch.lost));
  return out;
}

Napi::Object to_javascript(Napi::Env env, const conn::IncidentLog::Batch& batch) {
  Napi::Array incidents = Napi::Array::New(env, batch.incidents.size());
  for (uint32_t i = 0; i < batch.incidents.size(); i++) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("event", batch.incidents[i].event);
    entry.Set("reason", batch.incidents[i].reason);
    entry.Set("route", batch.incidents[i].route);
    entry.Set("subject", batch.incidents[i].subject);
    incidents.Set(i, entry);
  }
  Napi::Object out = Napi::Object::New(env);
  out.Set("incidents", incidents);
  out.Set("lost", static_cast<double>(batch.lost));
  return out;
}

}  // namespace spliced::seam
