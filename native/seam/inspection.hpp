// SPDX-License-Identifier: Apache-2.0
// inspectTlsGroups(), and the operations on keys in tokens, as src/engine/native.ts types them.
#pragma once
#include <napi.h>

namespace spliced::seam {

void define_inspection(Napi::Env env, Napi::Object exports);

}  // namespace spliced::seam
