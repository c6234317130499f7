// SPDX-License-Identifier: Apache-2.0
// Class Upload of the addon, typed in src/engine/native.ts: a ticket with its thread.
#pragma once
#include <napi.h>

#include <memory>
#include <vector>

#include "upload/ticket.hpp"

namespace spliced::seam {

void define_upload(Napi::Env env, Napi::Object exports);

// The tickets of an array of open Upload objects. Throws EINVAL_OPTION.
std::vector<std::shared_ptr<upload::Ticket>> read_uploads(const Napi::Value& value);

}  // namespace spliced::seam
