// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets share: a check that stays on in every build and stops the fuzzer with a
// sentence, and the input as text. libFuzzer and replay.cpp hand over a buffer of exactly its size,
// so ASan sees every byte read beyond it.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

#define INVARIANT(condition)                                                       \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                \
    }                                                                              \
  } while (false)

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}
