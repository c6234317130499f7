// SPDX-License-Identifier: Apache-2.0
// Assertions that stay on in release builds: a broken invariant ends the process loudly instead of
// sending wrong bytes. Used by every room.
#pragma once
#include <cstdio>
#include <cstdlib>

#define SPLICED_ASSERT(condition)                                                           \
  do {                                                                                      \
    if (!(condition)) {                                                                     \
      std::fprintf(stderr, "spliced: broken invariant: %s (%s:%d)\n", #condition, __FILE__, \
                   __LINE__);                                                               \
      std::abort();                                                                         \
    }                                                                                       \
  } while (0)
