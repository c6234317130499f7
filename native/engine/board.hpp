// SPDX-License-Identifier: Apache-2.0
// What the machine lets an engine do, found out by trying, for `spliced doctor`, which runs without
// an engine. The status (status.cpp) shows the same list of ciphers.
#pragma once
#include <string>

#include "engine/json.hpp"
#include "tls/probe.hpp"

namespace spliced::engine {

// Writes the array "ciphers": what the kernel encrypts, each AEAD once.
void write_ciphers(JsonWriter& json, const tls::KernelSupport& kernel);

// One JSON object, src/engine/native.ts: BoardReport. Takes some milliseconds. For any thread.
std::string board_json();

}  // namespace spliced::engine
