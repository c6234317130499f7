// SPDX-License-Identifier: Apache-2.0
// See process.hpp.
#include "os/process.hpp"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/fd.hpp"

// The number is the same on every architecture; the headers of older kernels lack it.
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

namespace spliced::os {
namespace {

constexpr size_t kTextBytesMax = 4096;  // either file is a page at most
constexpr int kStartTicksField = 22;

// Up to a page from the beginning of a /proc file; empty: there is no such process.
std::string read_proc(pid_t pid, const char* name) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + name;
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[kTextBytesMax];
  const ssize_t bytes = file ? ::read(file.get(), text, sizeof text) : -1;
  return bytes > 0 ? std::string(text, static_cast<size_t>(bytes)) : std::string();
}

// Field 22, or 0 if there is none. Fields 3 and on come behind the name in parentheses, which may
// hold any character.
uint64_t start_ticks_of(pid_t pid) {
  const std::string text = read_proc(pid, "stat");
  size_t at = text.rfind(')');
  for (int field = 2; field < kStartTicksField && at != std::string::npos; field++)
    at = text.find(' ', at + 1);
  return at == std::string::npos ? 0 : ::strtoull(text.c_str() + at, nullptr, 10);
}

bool is_of_user(pid_t pid, uid_t uid) {
  const std::string text = read_proc(pid, "status");
  const size_t at = text.find("\nUid:\t");
  return at != std::string::npos && ::strtoull(text.c_str() + at + 6, nullptr, 10) == uid;
}

}  // namespace

int listener_of(const std::string& path, Peer& out) {
  sockaddr_un to{};
  if (path.empty() || path.size() >= sizeof to.sun_path) return ENAMETOOLONG;
  to.sun_family = AF_UNIX;
  ::memcpy(to.sun_path, path.data(), path.size());
  const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return errno;
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return errno;
  ucred found{};
  socklen_t length = sizeof found;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &found, &length) != 0) return errno;
  out = {found.pid, found.uid, found.gid};
  return 0;
}

int signal_process(const ProcessName& process, int signal) {
  const auto [pid, start_ticks, uid] = process;
  if (pid <= 1 || start_ticks == 0) return EINVAL;
  const Fd held(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const bool is_unknown = !held && (errno == ENOSYS || errno == EPERM);  // EPERM: seccomp
  if (!held && !is_unknown) return errno;
  if (start_ticks_of(pid) != start_ticks) return ESRCH;
  if (!is_of_user(pid, uid)) return EPERM;
  // If this finds the process, what was read before was about it.
  const long sent = held ? ::syscall(SYS_pidfd_send_signal, held.get(), signal, nullptr, 0)
                         : static_cast<long>(::kill(pid, signal));
  return sent == 0 ? 0 : errno;
}

}  // namespace spliced::os
