// SPDX-License-Identifier: Apache-2.0
// See listener.hpp.
#include "os/listener.hpp"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/limits.hpp"

namespace spliced::os {
namespace {

// Adds the interface to a link-local address, which is ambiguous without it (RFC 4007 11).
std::string text_of(const sockaddr_in6& v6) {
  char text[INET6_ADDRSTRLEN] = "", interface[IF_NAMESIZE] = "";
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  if (v6.sin6_scope_id == 0 || ::if_indextoname(v6.sin6_scope_id, interface) == nullptr)
    return text;
  return std::string(text) + "%" + interface;
}

bool bound_address(int fd, ListenAddress& out) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return false;
  if (address.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
    char text[INET_ADDRSTRLEN] = "";
    ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    out.address = text;
    out.port = ntohs(v4->sin_port);
  } else if (address.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
    out.address = text_of(*v6);
    out.port = ntohs(v6->sin6_port);
  } else {
    return false;
  }
  out.fd = fd;
  return true;
}

bool option_is(int fd, int option, int wanted) {
  int value = 0;
  socklen_t length = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 && value == wanted;
}

bool is_tcp_listener(int fd) {
  return option_is(fd, SO_TYPE, SOCK_STREAM) && option_is(fd, SO_PROTOCOL, IPPROTO_TCP) &&
         option_is(fd, SO_ACCEPTCONN, 1);
}

// Accepted sockets inherit both options: no Nagle delay, because a response is whole when it is
// written, and a bound on what TCP holds unsent.
bool prepare_for_accepted(int fd) {
  const int on = 1, unsent = limits::kUnsentBytesMax;
  return ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
         ::setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent) == 0;
}

bool adopt(int fd, Listener& out, std::string& error) {
  ListenAddress bound;
  if (!is_tcp_listener(fd) || !bound_address(fd, bound)) {
    error = "descriptor " + std::to_string(fd) +
            " from the service manager is not a listening TCP socket: the socket unit needs "
            "ListenStream= with an address and a port, and Accept=no";
    return false;
  }
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || !prepare_for_accepted(fd)) {
    error = "cannot use the listening socket of descriptor " + std::to_string(fd) + ": " +
            ::strerror(errno);
    return false;
  }
  out.bound = std::move(bound);
  out.fd = Fd(fd);
  return true;
}

std::string name_of(const ListenAddress& a) {
  std::string host = a.address.find(':') == std::string::npos ? a.address : "[" + a.address + "]";
  return host + ":" + std::to_string(a.port);
}

const char* hint(int error) {
  switch (error) {
    case EADDRINUSE:
      return "; another program has this port: choose another, or stop that program";
    case EACCES:
      return "; ports below 1024 need CAP_NET_BIND_SERVICE";
    case EADDRNOTAVAIL:
      return "; this device has no such address";
    default:
      return "";
  }
}

}  // namespace

bool socket_address(const std::string& text, uint16_t port, sockaddr_storage& out,
                    socklen_t& bytes) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out);
  out = {};
  if (::inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    bytes = sizeof *v4;
    return true;
  }
  const size_t zone = text.find('%');
  if (::inet_pton(AF_INET6, text.substr(0, zone).c_str(), &v6->sin6_addr) != 1) return false;
  if (zone != std::string::npos) {
    v6->sin6_scope_id = ::if_nametoindex(text.c_str() + zone + 1);
    if (v6->sin6_scope_id == 0) return false;
  }
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  bytes = sizeof *v6;
  return true;
}

bool open_listener(const ListenAddress& wanted, Listener& out, std::string& error,
                   int* system_error) {
  if (wanted.fd >= 0) return adopt(wanted.fd, out, error);
  sockaddr_storage address{};
  socklen_t length = 0;
  if (!socket_address(wanted.address, wanted.port, address, length)) {
    error = "cannot listen on \"" + wanted.address +
            "\": not a numeric IPv4 or IPv6 address, or this device has no such interface";
    return false;
  }
  Fd fd(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1, off = 0;
  bool ok = static_cast<bool>(fd);
  ok = ok && ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
       prepare_for_accepted(fd.get());
  // "[::]" takes IPv4 clients too, whatever net.ipv6.bindv6only says.
  if (ok && address.ss_family == AF_INET6)
    ok = ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0;
  ok = ok && ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) == 0 &&
       ::listen(fd.get(), limits::kListenBacklog) == 0;
  if (!ok) {
    const int failed = errno;
    if (system_error != nullptr) *system_error = failed;
    error = "cannot listen on " + name_of(wanted) + ": " + ::strerror(failed) + hint(failed);
    return false;
  }
  if (!bound_address(fd.get(), out.bound)) return false;
  out.bound.address = wanted.address;  // as the configuration has it
  out.fd = std::move(fd);
  return true;
}

Fd spare_descriptor() {
  return Fd(::open("/", O_PATH | O_CLOEXEC));
}

size_t refuse_waiting(int listener, size_t most) {
  size_t refused = 0;
  for (; refused < most; refused++) {
    const Fd socket(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) break;
    const linger reset{1, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  return refused;
}

bool retire_listener(int fd) {
  if (!is_tcp_listener(fd)) return false;
  const Fd owned(fd);
  ::shutdown(fd, SHUT_RDWR);
  return true;
}

}  // namespace spliced::os
