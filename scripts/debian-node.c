// SPDX-License-Identifier: Apache-2.0
// Debian's Node reads parts of itself from /usr/share/nodejs when it starts. In one that
// get-debian-node has laid out elsewhere, this library is loaded before the C library, and opens
// those files beneath ROOT.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char kShared[] = "/usr/share/nodejs/";

typedef int Open(const char* path, int flags, ...);

int open(const char* path, int flags, ...) {
  Open* const next = (Open*)dlsym(RTLD_NEXT, "open");
  mode_t mode = 0;
  char there[PATH_MAX];
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list more;
    va_start(more, flags);
    mode = va_arg(more, mode_t);
    va_end(more);
  }
  if (strncmp(path, kShared, sizeof kShared - 1) == 0) {
    snprintf(there, sizeof there, "%s%s", ROOT, path);
    path = there;
  }
  return next(path, flags, mode);
}

// The same on a 64-bit machine (open(2), O_LARGEFILE), and what libuv calls.
int open64(const char* path, int flags, ...) __attribute__((alias("open")));
