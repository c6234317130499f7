// SPDX-License-Identifier: Apache-2.0
// See probe.hpp.
#include "tls/probe.hpp"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "os/fd.hpp"
#include "tls/ktls.hpp"

namespace spliced::tls {
namespace {

struct LoopbackPair {
  os::Fd client, server;
};

bool connect_pair(LoopbackPair& out) {
  os::Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (!listener || ::bind(listener.get(), generic, length) != 0 ||
      ::listen(listener.get(), 1) != 0 || ::getsockname(listener.get(), generic, &length) != 0)
    return false;
  out.client.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!out.client || ::connect(out.client.get(), generic, length) != 0) return false;
  out.server.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  return static_cast<bool>(out.server);
}

std::string explain(int error) {
  if (error == ENOENT)
    return "the kernel has no TLS: load the module with \"modprobe tls\", or build the kernel with "
           "CONFIG_TLS";
  return std::string("the kernel refuses TCP_ULP \"tls\": ") + ::strerror(error);
}

CipherSupport try_cipher(const CipherSpec& spec, KernelSupport& kernel) {
  CipherSupport support;
  LoopbackPair pair;
  if (!connect_pair(pair)) {
    support.error = errno;
    kernel.reason = std::string("no loopback connection to probe with: ") + ::strerror(errno);
    return support;
  }
  support.error = ktls::attach(pair.server.get());
  if (support.error != 0) {
    kernel.reason = explain(support.error);
    return support;
  }
  kernel.attachable = true;
  const TrafficKeys keys;
  const int transmit = ktls::install(pair.server.get(), ktls::Direction::Transmit, spec, keys);
  const int receive = ktls::install(pair.server.get(), ktls::Direction::Receive, spec, keys);
  support.transmit = transmit == 0;
  support.receive = receive == 0;
  support.error = transmit != 0 ? transmit : receive;
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
  for (size_t i = 0; i < kCipherSpecs; i++) kernel.by_cipher[i] = try_cipher(kCiphers[i], kernel);
  if (kernel.attachable) kernel.reason.clear();
  return kernel;
}

}  // namespace spliced::tls
