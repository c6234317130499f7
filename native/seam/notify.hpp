// SPDX-License-Identifier: Apache-2.0
// notifySystemd() and retireListener(): what src/supervision needs of the system to speak with the
// service manager and to give up a socket that the manager holds as well.
#pragma once
#include <napi.h>

namespace spliced::seam {

// Adds both to the module; src/engine/native.ts types them.
void define_notify(Napi::Env env, Napi::Object exports);

}  // namespace spliced::seam
