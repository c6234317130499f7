// SPDX-License-Identifier: Apache-2.0
// notifySystemd(): what src/supervision tells the service manager without starting a process.
#pragma once
#include <napi.h>

namespace spliced::seam {

// Adds notifySystemd() to the module; src/engine/native.ts types it.
void define_notify(Napi::Env env, Napi::Object exports);

}  // namespace spliced::seam
