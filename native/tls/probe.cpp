// SPDX-License-Identifier: Apache-2.0
// See probe.hpp.
#include "tls/probe.hpp"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include <array>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "os/fd.hpp"
#include "tls/ktls.hpp"

namespace spliced::tls {
namespace {

using Sockets = std::array<os::Fd, kCipherSpecs>;

// One end of each connection. The other end must stay open as long.
struct Connections {
  Sockets clients, servers;
};

os::Fd open_socket() {
  return os::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// Opens a connection for each cipher. All begin before the first is waited for, because nothing
// answers if loopback is down or its packets are dropped. 0, or the errno of a missing one.
int connect_all(Connections& out) {
  const os::Fd listener = open_socket();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (!listener || ::bind(listener.get(), generic, length) != 0 ||
      ::listen(listener.get(), kCipherSpecs) != 0 ||
      ::getsockname(listener.get(), generic, &length) != 0)
    return errno;
  for (os::Fd& client : out.clients) {
    client = open_socket();
    if (!client) return errno;
    if (::connect(client.get(), generic, length) != 0 && errno != EINPROGRESS) return errno;
  }
  const uint64_t end_ms = base::now_ms() + limits::kProbeConnectMs;
  for (os::Fd& server : out.servers) {
    for (;;) {
      server.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (server) break;
      if (errno != EAGAIN && errno != EINTR) return errno;
      const uint64_t now = base::now_ms();
      if (now >= end_ms) return ETIMEDOUT;
      pollfd entry{listener.get(), POLLIN, 0};
      ::poll(&entry, 1, static_cast<int>(end_ms - now));
    }
  }
  return 0;
}

std::string explain(int error) {
  if (error == ENOENT)
    return "the kernel has no TLS: load the module with \"modprobe tls\", or build the kernel with "
           "CONFIG_TLS";
  return std::string("the kernel refuses TCP_ULP \"tls\": ") + ::strerror(error);
}

CipherSupport try_cipher(const CipherSpec& spec, int socket, KernelSupport& kernel) {
  CipherSupport support;
  support.error = ktls::attach(socket);
  if (support.error != 0) {
    kernel.reason = explain(support.error);
    return support;
  }
  kernel.attachable = true;
  const TrafficKeys keys;
  const int transmit = ktls::install(socket, ktls::Direction::Transmit, spec, keys);
  const int receive = ktls::install(socket, ktls::Direction::Receive, spec, keys);
  support.transmit = transmit == 0;
  support.receive = receive == 0;
  support.error = transmit != 0 ? transmit : receive;
  // EBUSY before 6.14, and always with TLS 1.2 (net/tls/tls_main.c: do_tls_setsockopt_conf).
  support.updates = support.error == 0 &&
                    ktls::install(socket, ktls::Direction::Transmit, spec, keys) == 0 &&
                    ktls::install(socket, ktls::Direction::Receive, spec, keys) == 0;
  return support;
}

bool is_at_least(int major, int minor) {
  utsname name;
  int a = 0, b = 0;
  if (::uname(&name) != 0 || ::sscanf(name.release, "%d.%d", &a, &b) != 2) return false;
  return a > major || (a == major && b >= minor);
}

}  // namespace

KernelSupport probe_kernel() {
  KernelSupport kernel;
  kernel.sendfile_waits = is_at_least(6, 5);
  kernel.splices_received = is_at_least(6, 0);
  Connections connections;
  const int error = connect_all(connections);
  if (error != 0) {
    kernel.tried = false;
    kernel.reason = std::string(
                        "it is not known whether the kernel has TLS: there is no connection "
                        "over loopback to try it on (127.0.0.1: ") +
                    ::strerror(error) + ")";
    for (CipherSupport& support : kernel.by_cipher) support.error = error;
    return kernel;
  }
  for (size_t i = 0; i < kCipherSpecs; i++)
    kernel.by_cipher[i] = try_cipher(kCiphers[i], connections.servers[i].get(), kernel);
  if (kernel.attachable) kernel.reason.clear();
  return kernel;
}

}  // namespace spliced::tls
