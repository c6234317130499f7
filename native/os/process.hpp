// SPDX-License-Identifier: Apache-2.0
// Who a process is, by the kernel's word: the credentials of who listens on a Unix socket, and a
// signal for the very process that was looked at, never for the next one of its number. For
// commands that root runs on a service which may have been taken over. Used by the seam alone.
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include <string>

namespace spliced::os {

// As they were when the process called listen(2): SO_PEERCRED, unix(7).
struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

// Who listens on the socket at `path`. Connects and closes again; never blocks: a queue that is
// full is EAGAIN. Returns 0 or an errno.
int listener_of(const std::string& path, Peer& out);

// A process that is told apart from a later one of its pid by when it began (clock ticks since the
// boot, field 22 of proc_pid_stat(5)).
struct ProcessName {
  pid_t pid = 0;
  uint64_t start_ticks = 0;
  uid_t uid = 0;  // real, proc_pid_status(5)
};

// Sends the signal if the process is still the one of that name: looked at while a pidfd
// (Linux 5.3) holds it. An older kernel compares and then signals. Returns 0 or an errno: ESRCH for
// a process that has ended or begun at another time, EPERM for one of another user.
int signal_process(const ProcessName& process, int signal);

}  // namespace spliced::os
