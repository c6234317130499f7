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

static int open_there(const char* name, const char* path, int flags, mode_t mode) {
  Open* const next = (Open*)dlsym(RTLD_NEXT, name);
  char there[PATH_MAX];
  if (strncmp(path, kShared, sizeof kShared - 1) == 0) {
    snprintf(there, sizeof there, "%s%s", ROOT, path);
    path = there;
  }
  return next(path, flags, mode);
}

static mode_t mode_of(int flags, va_list more) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
}

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = mode_of(flags, more);
  va_end(more);
  return open_there("open", path, flags, mode);
}

// libuv's, which has 64-bit offsets everywhere.
int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = mode_of(flags, more);
  va_end(more);
  return open_there("open64", path, flags, mode);
}
