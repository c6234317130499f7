// SPDX-License-Identifier: Apache-2.0
// The service's request to itself, as a promise: askOurselves() of src/engine/native.ts.
#pragma once
#include <napi.h>

namespace spliced::seam {

void define_self_request(Napi::Env env, Napi::Object exports);

}  // namespace spliced::seam
