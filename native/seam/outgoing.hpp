// SPDX-License-Identifier: Apache-2.0
// tls::Outgoing for JavaScript: src/engine/native.ts describes it.
#pragma once
#include <napi.h>

namespace spliced::seam {

void define_outgoing(Napi::Env env, Napi::Object exports);

}  // namespace spliced::seam
