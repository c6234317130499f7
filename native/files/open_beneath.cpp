// SPDX-License-Identifier: Apache-2.0
// See open_beneath.hpp.
#include "files/open_beneath.hpp"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/limits.hpp"
#include "os/fd.hpp"

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

namespace spliced::files {
namespace {

int call_openat2(int root, const char* path, uint64_t resolve) {
  open_how how = kOpenBeneath;
  how.resolve |= resolve;
  const long fd = ::syscall(SYS_openat2, root, path, &how, sizeof how);
  return fd < 0 ? -errno : static_cast<int>(fd);
}

// Stricter than openat2: refuses every symbolic link (ELOOP), even one that stays beneath.
int walk(int root, const char* path) {
  os::Fd directory;
  int at = root;
  char name[limits::kPathBytesMax + 1];
  for (;;) {
    const char* slash = ::strchr(path, '/');
    if (slash == nullptr) {
      if (::strcmp(path, "..") == 0) return -EXDEV;
      const int fd = ::openat(at, path, static_cast<int>(kOpenBeneath.flags) | O_NOFOLLOW);
      return fd < 0 ? -errno : fd;
    }
    const size_t length = static_cast<size_t>(slash - path);
    if (length == 0 || length >= sizeof name || (length == 2 && ::memcmp(path, "..", 2) == 0))
      return -EXDEV;
    ::memcpy(name, path, length);
    name[length] = 0;
    os::Fd next(::openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next) return -errno;
    directory = std::move(next);
    at = directory.get();
    path = slash + 1;
  }
}

}  // namespace

int open_beneath(int root, const char* path, Lookup lookup) {
  const int fd = call_openat2(root, path, lookup == Lookup::Resident ? RESOLVE_CACHED : 0);
  if (lookup == Lookup::Resident) {
    const bool unknown = fd == -EINVAL || fd == -ENOSYS || fd == -EPERM;
    return unknown ? -EAGAIN : fd;
  }
  return fd == -ENOSYS || fd == -EPERM ? walk(root, path) : fd;
}

}  // namespace spliced::files
