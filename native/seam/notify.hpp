// SPDX-License-Identifier: Apache-2.0
// notifySystemd() and retireListener(), for src/supervision: they talk to the service manager, and
// close a socket of which the manager has a duplicate.
#pragma once
#include <napi.h>

namespace spliced::seam {

// Adds both to the module; src/engine/native.ts types them.
void define_notify(Napi::Env env, Napi::Object exports);

}  // namespace spliced::seam
