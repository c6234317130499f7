// SPDX-License-Identifier: Apache-2.0
// Identifies processes by what the kernel says: the credentials of the process that listens on a
// Unix socket, and a signal that reaches only the process that was examined, never a later one with
// its pid. For commands that root runs on a service that may be compromised. Used by the seam
// alone.
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include <string>

namespace spliced::os {

// Credentials at the time of its listen(2): SO_PEERCRED, unix(7).
struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

// The process that listens on the socket at `path`. Connects and closes again. Never blocks: EAGAIN
// if the backlog is full. Returns 0 or an errno.
int listener_of(const std::string& path, Peer& out);

// Identifies a process beyond its pid, which the kernel may reuse: by its start time (clock ticks
// since the boot, field 22 of proc_pid_stat(5)).
struct ProcessName {
  pid_t pid = 0;
  uint64_t start_ticks = 0;
  uid_t uid = 0;  // real, proc_pid_status(5)
};

// Sends the signal if the process still matches; a pidfd (Linux 5.3) holds it during the check. An
// older kernel compares and then signals. Returns 0 or an errno: ESRCH if the process has ended or
// began at another time, EPERM if it belongs to another user.
int signal_process(const ProcessName& process, int signal);

}  // namespace spliced::os
