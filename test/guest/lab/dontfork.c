// SPDX-License-Identifier: Apache-2.0
// Preloaded into every program of a guest (guest-init). libuv 1.50 and newer has rings of its own,
// and a child of a fork gets their mappings. User-Mode Linux 6.12 and 7.2 then panic ("Bad page
// map"). So a ring's mapping stays with its process, as with liburing (io_uring_ring_dontfork),
// which does not map by the C library.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int is_ring(int fd) {
  static const char kRing[] = "anon_inode:[io_uring]";
  char path[sizeof "/proc/self/fd/" + 11];
  char target[sizeof kRing];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(path, target, sizeof target);
  return length == sizeof kRing - 1 && memcmp(target, kRing, sizeof kRing - 1) == 0;
}

void* mmap64(void* near, size_t length, int protection, int flags, int fd, off_t offset) {
  typedef void* Map(void*, size_t, int, int, int, off_t);
  Map* const next = (Map*)dlsym(RTLD_NEXT, "mmap64");
  void* const mapped = next(near, length, protection, flags, fd, offset);
  if (mapped != MAP_FAILED && (flags & MAP_SHARED) != 0 && fd >= 0 && is_ring(fd))
    madvise(mapped, length, MADV_DONTFORK);
  return mapped;
}
