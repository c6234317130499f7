// SPDX-License-Identifier: Apache-2.0
// See listener.hpp.
#include "os/listener.hpp"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/limits.hpp"

namespace spliced::os {
namespace {

bool parse(const ListenAddress& wanted, sockaddr_storage& out, socklen_t& length) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out);
  if (::inet_pton(AF_INET, wanted.address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(wanted.port);
    length = sizeof *v4;
    return true;
  }
  if (::inet_pton(AF_INET6, wanted.address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(wanted.port);
    length = sizeof *v6;
    return true;
  }
  return false;
}

uint16_t bound_port(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  return ntohs(address.ss_family == AF_INET ? reinterpret_cast<sockaddr_in*>(&address)->sin_port
                                            : reinterpret_cast<sockaddr_in6*>(&address)->sin6_port);
}

std::string name_of(const ListenAddress& a) {
  std::string host = a.address.find(':') == std::string::npos ? a.address : "[" + a.address + "]";
  return host + ":" + std::to_string(a.port);
}

const char* hint(int error) {
  switch (error) {
    case EADDRINUSE:
      return "; another program has this port: choose another with --listen, or stop that program";
    case EACCES:
      return "; ports below 1024 need CAP_NET_BIND_SERVICE";
    case EADDRNOTAVAIL:
      return "; this device has no such address";
    default:
      return "";
  }
}

}  // namespace

bool open_listener(const ListenAddress& wanted, Listener& out, std::string& error) {
  sockaddr_storage address{};
  socklen_t length = 0;
  if (!parse(wanted, address, length)) {
    error = "cannot listen on \"" + wanted.address + "\": not a numeric IPv4 or IPv6 address";
    return false;
  }
  Fd fd(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1, off = 0, unsent = limits::kUnsentBytesMax;
  bool ok = static_cast<bool>(fd);
  // Accepted sockets inherit both: a response is whole when it is written, and TCP takes no more
  // than it can soon send.
  ok = ok && ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
       ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
       ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent) == 0;
  // "[::]" takes IPv4 clients too, whatever net.ipv6.bindv6only says.
  if (ok && address.ss_family == AF_INET6)
    ok = ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0;
  ok = ok && ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) == 0 &&
       ::listen(fd.get(), limits::kListenBacklog) == 0;
  if (!ok) {
    const int failed = errno;
    error = "cannot listen on " + name_of(wanted) + ": " + ::strerror(failed) + hint(failed);
    return false;
  }
  out.bound = {wanted.address, bound_port(fd.get())};
  out.fd = std::move(fd);
  return true;
}

}  // namespace spliced::os
