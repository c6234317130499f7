// SPDX-License-Identifier: Apache-2.0
// Functions for `spliced doctor` alone: a report of the machine, the truncation experiment, and the
// clients of the benchmark. None is used while the product serves.
#pragma once
#include <napi.h>

namespace spliced::seam {

// Adds boardReport(), reproduceTruncation() and measureLoad() to the module; src/engine/native.ts
// types them.
void define_doctor(Napi::Env env, Napi::Object exports);

}  // namespace spliced::seam
