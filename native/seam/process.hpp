// SPDX-License-Identifier: Apache-2.0
// listenerOf() and terminateProcess(): os/process.hpp, for commands of an operator.
#pragma once
#include <napi.h>

namespace spliced::seam {

void define_process(Napi::Env env, Napi::Object exports);

}  // namespace spliced::seam
