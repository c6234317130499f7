// SPDX-License-Identifier: Apache-2.0
// A disk that refuses, preloaded (LD_PRELOAD) into a process: the n-th call that changes anything
// beneath a directory fails with an errno, and if wanted every later one. Environment: FAULT_DIR,
// FAULT_AT (0: none, only count), FAULT_ERRNO (a number), FAULT_ON (1: from then on all fail),
// FAULT_READS (1: files that are opened for reading, and links that are read, count instead),
// FAULT_LOG (a file that gets one line a call). Compiled and used by start-faults.test.ts.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int calls;

static const char *setting(const char *name) {
  const char *value = getenv(name);
  return value ? value : "";
}

// Whether the call is to fail; errno is set then. Calls beneath another directory do not count.
static int refuses(const char *what, const char *path, int is_reading) {
  const char *top = setting("FAULT_DIR");
  if (!path || !top[0] || strncmp(path, top, strlen(top)) != 0) return 0;
  if (is_reading != (setting("FAULT_READS")[0] == '1')) return 0;
  const int number = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
  const char *log = setting("FAULT_LOG");
  if (log[0]) {
    int fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%s %s\n", what, path);
    if (fd >= 0 && length > 0) syscall(SYS_write, fd, line, (size_t)length);
    if (fd >= 0) syscall(SYS_close, fd);
  }
  const int at = atoi(setting("FAULT_AT"));
  const int is_on = setting("FAULT_ON")[0] == '1';
  if (at == 0 || number < at || (number > at && !is_on)) return 0;
  errno = atoi(setting("FAULT_ERRNO"));
  return 1;
}

// The path of an open file, in the caller's buffer; NULL: it has none.
static const char *path_of(int fd, char *buffer) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, buffer, PATH_MAX - 1);
  if (length <= 0) return NULL;
  buffer[length] = 0;
  return buffer;
}

static int open_any(int at, const char *path, int flags, mode_t mode) {
  const int is_writing = (flags & (O_CREAT | O_TRUNC)) != 0 || (flags & O_ACCMODE) != O_RDONLY;
  if (refuses("open", path, !is_writing)) return -1;
  return (int)syscall(SYS_openat, at, path, flags, mode);
}

#define OPEN(name, parameters, at)                     \
  int name parameters {                                \
    va_list list;                                      \
    va_start(list, flags);                             \
    mode_t mode = va_arg(list, mode_t);                \
    va_end(list);                                      \
    return open_any(at, path, flags, mode);            \
  }
OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)
OPEN(openat, (int at, const char *path, int flags, ...), at)
OPEN(openat64, (int at, const char *path, int flags, ...), at)

#define ON_FD(type, name, parameters, arguments)                      \
  type name parameters {                                              \
    char buffer[PATH_MAX];                                            \
    if (refuses(#name, path_of(fd, buffer), 0)) return -1;            \
    return REAL(name) arguments;                                      \
  }
ON_FD(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
ON_FD(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
ON_FD(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
ON_FD(ssize_t, writev, (int fd, const struct iovec *data, int count), (fd, data, count))
ON_FD(int, ftruncate, (int fd, off_t size), (fd, size))
ON_FD(int, ftruncate64, (int fd, off64_t size), (fd, size))
ON_FD(int, fchmod, (int fd, mode_t mode), (fd, mode))
ON_FD(int, fchown, (int fd, uid_t owner, gid_t group), (fd, owner, group))
ON_FD(int, fsync, (int fd), (fd))
ON_FD(int, fdatasync, (int fd), (fd))

#define ON_PATH(type, name, parameters, arguments, subject, is_reading) \
  type name parameters {                                                \
    if (refuses(#name, subject, is_reading)) return -1;                 \
    return REAL(name) arguments;                                        \
  }
ON_PATH(int, mkdir, (const char *path, mode_t mode), (path, mode), path, 0)
ON_PATH(int, symlink, (const char *target, const char *path), (target, path), path, 0)
ON_PATH(int, link, (const char *from, const char *path), (from, path), path, 0)
ON_PATH(int, unlink, (const char *path), (path), path, 0)
ON_PATH(int, unlinkat, (int at, const char *path, int flags), (at, path, flags), path, 0)
ON_PATH(int, rmdir, (const char *path), (path), path, 0)
ON_PATH(int, rename, (const char *from, const char *path), (from, path), path, 0)
ON_PATH(int, chmod, (const char *path, mode_t mode), (path, mode), path, 0)
ON_PATH(int, chown, (const char *path, uid_t owner, gid_t group), (path, owner, group), path, 0)
ON_PATH(int, truncate, (const char *path, off_t size), (path, size), path, 0)
ON_PATH(int, truncate64, (const char *path, off64_t size), (path, size), path, 0)
ON_PATH(ssize_t, readlink, (const char *path, char *target, size_t size), (path, target, size),
        path, 1)

// Node names a socket by the descriptor of its directory.
int bind(int fd, const struct sockaddr *address, socklen_t length) {
  char directory[PATH_MAX];
  int parent = -1;
  if (address->sa_family == AF_UNIX) {
    const char *path = ((const struct sockaddr_un *)address)->sun_path;
    const char *subject = path;
    if (sscanf(path, "/proc/self/fd/%d/", &parent) == 1) subject = path_of(parent, directory);
    if (refuses("bind", subject, 0)) return -1;
  }
  return REAL(bind)(fd, address, length);
}
