// SPDX-License-Identifier: Apache-2.0
// A power cut on demand, preloaded (LD_PRELOAD) into the process that writes: before the n-th call
// that changes anything beneath a directory the process is killed. What was not synchronised can be
// lost at that moment: the content of files (CUT_LOSE=data), and the entries of directories as well
// (CUT_LOSE=all). Environment: CUT_DIR, CUT_AT (0: never, only count), CUT_LOSE, CUT_LOG (a file
// that gets one line a call). Of a file that was synchronised and written to again, what was
// synchronised stays. Compiled and used by certificates/power-cut.test.ts and
// update/power-cut.test.ts.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { kFdsMax = 1024, kEntriesMax = 4096 };
enum Kind { kCreated, kMadeDirectory, kLinked, kRenamed };

struct Entry {
  enum Kind kind;
  char path[PATH_MAX];
  char former[PATH_MAX];  // What a renamed link replaced; empty: nothing.
  char from[PATH_MAX];    // kRenamed: what it was before.
  char backup[PATH_MAX];  // kRenamed: the ordinary file that was replaced, beside CUT_DIR; or empty.
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *fd_paths[kFdsMax];
static char *dirty[kEntriesMax];  // Written and not synchronised.
static long long safe_bytes[kEntriesMax];  // Of that file, from its begin, synchronised before.
static int dirty_count;
static struct Entry *entries[kEntriesMax];  // Not synchronised, oldest first.
static int entry_count;
static int calls;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static const char *setting(const char *name) {
  const char *value = getenv(name);
  return value ? value : "";
}

static int is_ours(const char *path) {
  const char *top = setting("CUT_DIR");
  return path && top[0] && strncmp(path, top, strlen(top)) == 0;
}

static const char *path_of(int fd) {
  return fd >= 0 && fd < kFdsMax && fd_paths[fd] ? fd_paths[fd] : NULL;
}

static void undo(const struct Entry *entry, int number) {
  char away[PATH_MAX];
  switch (entry->kind) {
    case kCreated:
    case kLinked:
      syscall(SYS_unlink, entry->path);
      break;
    case kMadeDirectory:  // With everything beneath it.
      snprintf(away, sizeof away, "%s.lost-%d-%d", setting("CUT_DIR"), (int)getpid(), number);
      syscall(SYS_rename, entry->path, away);
      break;
    case kRenamed:
      syscall(SYS_rename, entry->path, entry->from);
      if (entry->former[0]) syscall(SYS_symlink, entry->former, entry->path);
      if (entry->backup[0]) syscall(SYS_rename, entry->backup, entry->path);
      break;
  }
}

static void cut(void) {
  const char *lose = setting("CUT_LOSE");
  if (strcmp(lose, "data") == 0 || strcmp(lose, "all") == 0) {
    for (int i = 0; i < dirty_count; i++) syscall(SYS_truncate, dirty[i], safe_bytes[i]);
  }
  if (strcmp(lose, "all") == 0) {
    for (int i = entry_count - 1; i >= 0; i--) undo(entries[i], i);
  }
  syscall(SYS_kill, getpid(), SIGKILL);
}

// Every call below goes through here first, with the lock held.
static void step(const char *what, const char *path) {
  calls++;
  const char *log = setting("CUT_LOG");
  if (log[0]) {
    int fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%s %s\n", what, path);
    if (fd >= 0 && length > 0) syscall(SYS_write, fd, line, (size_t)length);
    if (fd >= 0) syscall(SYS_close, fd);
  }
  if (calls == atoi(setting("CUT_AT"))) cut();
}

static struct Entry *remember(enum Kind kind, const char *path, const char *former) {
  if (entry_count == kEntriesMax) abort();
  struct Entry *entry = calloc(1, sizeof *entry);
  if (!entry) abort();
  entry->kind = kind;
  snprintf(entry->path, sizeof entry->path, "%s", path);
  snprintf(entry->former, sizeof entry->former, "%s", former);
  entries[entry_count++] = entry;
  return entry;
}

static char *synchronised[kEntriesMax];  // Files, and how long they were then.
static long long synchronised_bytes[kEntriesMax];
static int synchronised_count;

static long long bytes_synchronised(const char *path) {
  for (int i = 0; i < synchronised_count; i++) {
    if (strcmp(synchronised[i], path) == 0) return synchronised_bytes[i];
  }
  return 0;
}

static void set_synchronised(const char *path, long long bytes) {
  int i = 0;
  while (i < synchronised_count && strcmp(synchronised[i], path) != 0) i++;
  if (i == kEntriesMax) abort();
  if (i == synchronised_count) synchronised[synchronised_count++] = strdup(path);
  synchronised_bytes[i] = bytes;
}

static void mark_dirty(const char *path) {
  for (int i = 0; i < dirty_count; i++) {
    if (strcmp(dirty[i], path) == 0) return;
  }
  if (dirty_count == kEntriesMax) abort();
  safe_bytes[dirty_count] = bytes_synchronised(path);
  dirty[dirty_count++] = strdup(path);
}

static int is_parent(const char *directory, const char *path) {
  size_t length = strlen(directory);
  return strncmp(directory, path, length) == 0 && path[length] == '/' &&
         !strchr(path + length + 1, '/');
}

static void mark_synchronised(const char *path) {
  int kept = 0;
  for (int i = 0; i < dirty_count; i++) {
    if (strcmp(dirty[i], path) == 0) continue;
    safe_bytes[kept] = safe_bytes[i];
    dirty[kept++] = dirty[i];
  }
  dirty_count = kept;
  struct stat found;
  if (stat(path, &found) == 0 && S_ISREG(found.st_mode)) set_synchronised(path, found.st_size);
  kept = 0;
  for (int i = 0; i < entry_count; i++) {
    if (!is_parent(path, entries[i]->path)) entries[kept++] = entries[i];
  }
  entry_count = kept;
}

static int opened(int fd, const char *path, int flags, int existed) {
  if (fd < 0 || fd >= kFdsMax || !is_ours(path)) return fd;
  free(fd_paths[fd]);
  fd_paths[fd] = strdup(path);
  if ((flags & O_CREAT) && !existed) remember(kCreated, path, "");
  if (flags & O_TRUNC) {
    set_synchronised(path, 0);
    mark_dirty(path);
  }
  return fd;
}

static int open_any(const char *path, int flags, mode_t mode) {
  pthread_mutex_lock(&lock);
  int existed = access(path, F_OK) == 0;
  if (is_ours(path) && (flags & (O_CREAT | O_TRUNC))) step("open", path);
  int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
  fd = opened(fd, path, flags, existed);
  pthread_mutex_unlock(&lock);
  return fd;
}

#define OPEN(name)                                 \
  int name(const char *path, int flags, ...) {     \
    va_list list;                                  \
    va_start(list, flags);                         \
    mode_t mode = va_arg(list, mode_t);            \
    va_end(list);                                  \
    return open_any(path, flags, mode);            \
  }
OPEN(open)
OPEN(open64)

int close(int fd) {
  pthread_mutex_lock(&lock);
  if (path_of(fd)) {
    free(fd_paths[fd]);
    fd_paths[fd] = NULL;
  }
  pthread_mutex_unlock(&lock);
  return REAL(close)(fd);
}

// A call on an open file: counted before it is made, the file is dirty after it.
#define ON_FD(type, name, parameters, arguments)             \
  type name parameters {                                     \
    pthread_mutex_lock(&lock);                               \
    const char *path = path_of(fd);                          \
    if (path) step(#name, path);                             \
    type result = REAL(name) arguments;                      \
    if (path && result >= 0) mark_dirty(path);               \
    pthread_mutex_unlock(&lock);                             \
    return result;                                           \
  }
ON_FD(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
ON_FD(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
ON_FD(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
ON_FD(ssize_t, writev, (int fd, const struct iovec *data, int count), (fd, data, count))
ON_FD(int, ftruncate, (int fd, off_t size), (fd, size))
ON_FD(int, ftruncate64, (int fd, off64_t size), (fd, size))

#define SYNCHRONISE(name)                                       \
  int name(int fd) {                                            \
    pthread_mutex_lock(&lock);                                  \
    const char *path = path_of(fd);                             \
    if (path) step(#name, path);                                \
    int result = REAL(name)(fd);                                \
    if (path && result == 0) mark_synchronised(path);           \
    pthread_mutex_unlock(&lock);                                \
    return result;                                              \
  }
SYNCHRONISE(fsync)
SYNCHRONISE(fdatasync)

// A call that changes an entry of a directory; `after` runs when it has succeeded.
#define ON_PATH(name, parameters, arguments, subject, after) \
  int name parameters {                                      \
    pthread_mutex_lock(&lock);                               \
    if (is_ours(subject)) step(#name, subject);              \
    int result = REAL(name) arguments;                       \
    if (result == 0 && is_ours(subject)) { after; }          \
    pthread_mutex_unlock(&lock);                             \
    return result;                                           \
  }
ON_PATH(mkdir, (const char *path, mode_t mode), (path, mode), path,
        remember(kMadeDirectory, path, ""))
ON_PATH(symlink, (const char *target, const char *path), (target, path), path,
        remember(kLinked, path, ""))
ON_PATH(unlink, (const char *path), (path), path, (void)0)
ON_PATH(rmdir, (const char *path), (path), path, (void)0)

int rename(const char *from, const char *to) {
  pthread_mutex_lock(&lock);
  char former[PATH_MAX] = "", backup[PATH_MAX] = "";
  struct stat found;
  if (is_ours(to)) {
    step("rename", to);
    ssize_t length = readlink(to, former, sizeof former - 1);
    former[length > 0 ? length : 0] = 0;
    if (lstat(to, &found) == 0 && S_ISREG(found.st_mode)) {
      snprintf(backup, sizeof backup, "%s.was-%d-%d", setting("CUT_DIR"), (int)getpid(), calls);
      if (syscall(SYS_linkat, AT_FDCWD, to, AT_FDCWD, backup, 0) != 0) backup[0] = 0;
    }
  }
  int result = REAL(rename)(from, to);
  if (result == 0 && is_ours(to)) {
    struct Entry *entry = remember(kRenamed, to, former);
    snprintf(entry->from, sizeof entry->from, "%s", from);
    snprintf(entry->backup, sizeof entry->backup, "%s", backup);
    set_synchronised(to, bytes_synchronised(from));
  }
  pthread_mutex_unlock(&lock);
  return result;
}
