// SPDX-License-Identifier: Apache-2.0
// See notify.hpp.
#include "os/notify.hpp"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "os/fd.hpp"

namespace spliced::os {
namespace {

// unix(7): the address of a path includes its NUL; an abstract name begins with a NUL and has none
// at its end.
bool parse(const std::string& from, sockaddr_un& out, socklen_t& length) {
  const bool is_abstract = !from.empty() && from[0] == '@';
  if (from.size() < 2 || (from[0] != '/' && !is_abstract)) return false;
  if (from.size() + (is_abstract ? 0 : 1) > sizeof out.sun_path) return false;
  out.sun_family = AF_UNIX;
  memcpy(out.sun_path, from.data(), from.size());
  if (is_abstract) out.sun_path[0] = '\0';
  length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + from.size() + (is_abstract ? 0 : 1));
  return true;
}

}  // namespace

int notify(const std::string& address, const std::string& text,
           const std::vector<int>& descriptors) {
  sockaddr_un to{};
  socklen_t length = 0;
  if (!parse(address, to, length) || text.empty() || text.size() > kNotifyBytesMax ||
      descriptors.size() > kNotifyDescriptorsMax)
    return EINVAL;
  const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return errno;
  iovec body{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_name = &to;
  message.msg_namelen = length;
  message.msg_iov = &body;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kNotifyDescriptorsMax)] = {};
  if (!descriptors.empty()) {
    const size_t bytes = sizeof(int) * descriptors.size();
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(rights), descriptors.data(), bytes);
  }
  return ::sendmsg(socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? errno : 0;
}

}  // namespace spliced::os
