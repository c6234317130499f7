// SPDX-License-Identifier: Apache-2.0
// Sends one message to the service manager, as sd_notify(3) does: a datagram to its Unix socket,
// with descriptors for its store if there are any. Node has no datagram sockets of this family.
// Used by the seam alone.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace spliced::os {

inline constexpr size_t kNotifyBytesMax = 4096;      // systemd reads no more of one message
inline constexpr size_t kNotifyDescriptorsMax = 64;  // SCM_MAX_FD is 253

// Sends `text` to the socket at `address`: a path, or '@' and a name in the abstract name space.
// The receiver gets duplicates of `descriptors`; the caller keeps its own. Never blocks: EAGAIN if
// the receiver's queue is full. Returns 0 or an errno; EINVAL for an address or a size that is not
// possible.
int notify(const std::string& address, const std::string& text,
           const std::vector<int>& descriptors);

}  // namespace spliced::os
