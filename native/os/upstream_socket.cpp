// SPDX-License-Identifier: Apache-2.0
// See upstream_socket.hpp.
#include "os/upstream_socket.hpp"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <charconv>

#include "os/fd.hpp"

namespace spliced::os {
namespace {

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
  std::string long_path;  // path of a Unix socket that is too long for sun_path
};

// A name of this length still fits behind "/proc/self/fd/" and a descriptor's number.
constexpr size_t kSocketNameBytesMax = 80;

constexpr const char* kForm =
    "it must be unix:/PATH, tcp:ADDRESS:PORT or tcp:[IPv6-ADDRESS]:PORT, with a numeric address";

bool parse_port(const std::string& text, uint16_t& port) {
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, port);
  return error == std::errc() && at == end && port != 0;
}

const char* parse_unix(const std::string& path, Address& out) {
  auto& un = reinterpret_cast<sockaddr_un&>(out.bytes);
  if (path.empty() || path.front() != '/' || path.find('\0') != path.npos) return kForm;
  if (path.size() - path.rfind('/') > kSocketNameBytesMax) return "the socket's name is too long";
  if (path.size() >= PATH_MAX) return "the socket's path is too long";
  un.sun_family = AF_UNIX;
  out.size = sizeof un;
  if (path.size() < sizeof un.sun_path) {
    ::memcpy(un.sun_path, path.data(), path.size());
  } else {
    out.long_path = path;
  }
  return nullptr;
}

// unix(7): sun_path has 108 bytes, but paths may be longer. The path of an open directory's
// descriptor is a short name for it.
bool shorten(Address& address, Fd& directory) {
  if (address.long_path.empty()) return true;
  const size_t slash = address.long_path.rfind('/');
  directory.reset(
      ::open(address.long_path.substr(0, slash).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return false;
  auto& un = reinterpret_cast<sockaddr_un&>(address.bytes);
  ::snprintf(un.sun_path, sizeof un.sun_path, "/proc/self/fd/%d%s", directory.get(),
             address.long_path.c_str() + slash);
  return true;
}

const char* parse_tcp(const std::string& text, Address& out) {
  const size_t colon = text.rfind(':');
  uint16_t port = 0;
  if (colon == text.npos || !parse_port(text.substr(colon + 1), port)) return kForm;
  const std::string host = text.substr(0, colon);
  auto& v4 = reinterpret_cast<sockaddr_in&>(out.bytes);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(out.bytes);
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    out.size = sizeof v4;
    return nullptr;
  }
  if (host.size() < 2 || host.front() != '[' || host.back() != ']') return kForm;
  if (::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &v6.sin6_addr) != 1)
    return kForm;
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  out.size = sizeof v6;
  return nullptr;
}

const char* parse(const std::string& text, Address& out) {
  if (text.compare(0, 5, "unix:") == 0) return parse_unix(text.substr(5), out);
  if (text.compare(0, 4, "tcp:") == 0) return parse_tcp(text.substr(4), out);
  return kForm;
}

}  // namespace

const char* upstream_address_fault(const std::string& address) {
  Address parsed;
  return parse(address, parsed);
}

int open_upstream(const std::string& address) {
  Address parsed;
  if (parse(address, parsed) != nullptr) return -EINVAL;
  const int socket =
      ::socket(parsed.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return -errno;
  const int on = 1;
  if (parsed.bytes.ss_family != AF_UNIX)
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

Moved connect_upstream(int socket, const std::string& address) {
  Address parsed;
  if (parse(address, parsed) != nullptr) return {Io::Failed, 0, EINVAL};
  Fd directory;
  if (!shorten(parsed, directory)) return {Io::Failed, 0, errno};
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&parsed.bytes), parsed.size) == 0 ||
      errno == EISCONN)
    return {};
  const bool waits = errno == EINPROGRESS || errno == EALREADY || errno == EAGAIN || errno == EINTR;
  return waits ? Moved{Io::WouldBlock, 0, 0} : Moved{Io::Failed, 0, errno};
}

bool is_quiet(int socket) {
  char byte;
  return ::recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

}  // namespace spliced::os
