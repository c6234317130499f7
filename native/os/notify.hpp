// SPDX-License-Identifier: Apache-2.0
// One message to the service manager, sd_notify(3): a datagram to its Unix socket, which Node
// cannot send by itself, with descriptors for its store where there are any. Used by the seam
// alone.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace spliced::os {

inline constexpr size_t kNotifyBytesMax = 4096;      // what systemd reads of one message
inline constexpr size_t kNotifyDescriptorsMax = 64;  // SCM_MAX_FD is 253

// Sends `text` to the socket at `address`: a path, or a name in the abstract name space behind '@'.
// The receiver gets duplicates of `descriptors`; the caller keeps its own. Never blocks: a queue
// that is full is EAGAIN. Returns 0 or an errno; EINVAL for an address or a size that cannot be.
int notify(const std::string& address, const std::string& text,
           const std::vector<int>& descriptors);

}  // namespace spliced::os
