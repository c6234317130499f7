// SPDX-License-Identifier: Apache-2.0
// inspectTlsGroups(), and what is asked of keys in tokens, as src/engine/native.ts types them.
#pragma once
#include <napi.h>

namespace spliced::seam {

void define_inspection(Napi::Env env, Napi::Object exports);

}  // namespace spliced::seam
