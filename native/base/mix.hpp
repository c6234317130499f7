// SPDX-License-Identifier: Apache-2.0
// A hash of 64-bit words, one after the other; no defence against who chooses them. For a given
// hash each word gives another result, and the other way round.
#pragma once
#include <cstdint>

namespace spliced::base {

constexpr uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15;  // 2^64 by the golden ratio, odd
  return hash ^ (hash >> 32);
}

}  // namespace spliced::base
