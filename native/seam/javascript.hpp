// SPDX-License-Identifier: Apache-2.0
// Converts what the service reports into JavaScript objects: events, the pulse, and the logs. For
// the Node thread. src/engine/native.ts has the types.
#pragma once
#include <napi.h>

#include "engine/service.hpp"

namespace spliced::seam {

Napi::Object to_javascript(Napi::Env env, const engine::Event& event);
Napi::Object to_javascript(Napi::Env env, const conn::ConnectionLog::Batch& batch);
Napi::Object to_javascript(Napi::Env env, const conn::RefusalLog::Batch& batch);
Napi::Object to_javascript(Napi::Env env, const conn::IncidentLog::Batch& batch);
// Counters, read without a lock: the sums, and those of each engine by its index.
Napi::Object pulse_to_javascript(Napi::Env env, engine::Service& service);

}  // namespace spliced::seam
