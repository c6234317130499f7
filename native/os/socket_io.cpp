// SPDX-License-Identifier: Apache-2.0
// See socket_io.hpp. EINTR cannot happen on an engine's thread, where all signals are blocked; it
// is retried all the same.
#include "os/socket_io.hpp"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>

#include "base/limits.hpp"

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

namespace spliced::os {
namespace {

constexpr int kTcpClose = 7;  // TCP_CLOSE, include/net/tcp_states.h

// One end of a connection. IPv4 is kept as the mapped IPv6 address (RFC 4291 2.5.5.2).
struct Endpoint {
  in6_addr address{};
  uint16_t port = 0;
};

using NameCall = int (*)(int, sockaddr*, socklen_t*);

bool endpoint(int socket, NameCall name, Endpoint& out) {
  sockaddr_storage found{};
  socklen_t length = sizeof found;
  if (name(socket, reinterpret_cast<sockaddr*>(&found), &length) != 0) return false;
  if (found.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(found);
    out = {v6.sin6_addr, ntohs(v6.sin6_port)};
    return true;
  }
  if (found.ss_family != AF_INET) return false;
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(found);
  out.address.s6_addr[10] = out.address.s6_addr[11] = 0xff;
  memcpy(out.address.s6_addr + 12, &v4.sin_addr, 4);
  out.port = ntohs(v4.sin_port);
  return true;
}

bool read_tcp_info(int socket, tcp_info& out) {
  socklen_t length = sizeof out;
  return ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &out, &length) == 0;
}

Moved verdict(ssize_t result) {
  if (result > 0) return {Io::Done, static_cast<size_t>(result), 0};
  if (result == 0) return {Io::Eof, 0, 0};
  if (errno == EAGAIN || errno == EWOULDBLOCK) return {Io::WouldBlock, 0, 0};
  return {Io::Failed, 0, errno};
}

template <class Call>
ssize_t retry(Call call) {
  ssize_t result;
  do result = call();
  while (result < 0 && errno == EINTR);
  return result;
}

}  // namespace

Received receive_record(int socket, char* out, size_t capacity) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(uint8_t))];
  iovec part{out, capacity};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t result = retry([&] { return ::recvmsg(socket, &message, MSG_DONTWAIT); });
  if (result < 0) {
    if (errno == EAGAIN) return {Io::WouldBlock, {}, 0, 0};
    return {Io::Failed, {}, 0, errno};
  }
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_level == SOL_TLS &&
      header->cmsg_type == TLS_GET_RECORD_TYPE) {
    uint8_t type;
    memcpy(&type, CMSG_DATA(header), sizeof type);
    return {Io::Done, static_cast<RecordType>(type), static_cast<size_t>(result), 0};
  }
  if (result == 0) return {Io::Eof, {}, 0, 0};
  return {Io::Done, RecordType::ApplicationData, static_cast<size_t>(result), 0};
}

Received receive_plain(int socket, char* out, size_t capacity) {
  const Moved got = verdict(retry([&] { return ::recv(socket, out, capacity, MSG_DONTWAIT); }));
  return {got.io, RecordType::ApplicationData, got.bytes, got.error};
}

Received peek_plain(int socket, char* out, size_t capacity) {
  const int flags = MSG_DONTWAIT | MSG_PEEK;
  const Moved got = verdict(retry([&] { return ::recv(socket, out, capacity, flags); }));
  return {got.io, RecordType::ApplicationData, got.bytes, got.error};
}

Moved send_bytes(int socket, const char* data, size_t bytes, bool more) {
  const int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0);
  return verdict(retry([&] { return ::send(socket, data, bytes, flags); }));
}

Moved send_two(int socket, std::string_view first, std::string_view second) {
  iovec parts[2] = {{const_cast<char*>(first.data()), first.size()},
                    {const_cast<char*>(second.data()), second.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  return verdict(
      retry([&] { return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL); }));
}

Moved send_control(int socket, RecordType type, const void* payload, size_t bytes) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(uint8_t))] = {};
  iovec part{const_cast<void*>(payload), bytes};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_TLS;
  header->cmsg_type = TLS_SET_RECORD_TYPE;
  header->cmsg_len = CMSG_LEN(sizeof(uint8_t));
  memcpy(CMSG_DATA(header), &type, sizeof type);
  const ssize_t result =
      retry([&] { return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL); });
  if (result < 0 && errno == EINPROGRESS) return {Io::Done, bytes, 0};
  return verdict(result);
}

Moved file_to_socket(int file, uint64_t offset, int socket, size_t bytes) {
  off_t at = static_cast<off_t>(offset);
  return verdict(retry([&] { return ::sendfile(socket, file, &at, bytes); }));
}

Moved socket_to_pipe(int socket, int pipe_write_end, size_t bytes) {
  return verdict(retry([&] {
    return ::splice(socket, nullptr, pipe_write_end, nullptr, bytes, SPLICE_F_NONBLOCK);
  }));
}

Moved pipe_to_socket(int pipe_read_end, int socket, size_t bytes, bool more) {
  const unsigned flags = SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0);
  return verdict(
      retry([&] { return ::splice(pipe_read_end, nullptr, socket, nullptr, bytes, flags); }));
}

Moved pipe_to_memory(int pipe_read_end, char* out, size_t bytes) {
  return verdict(retry([&] { return ::read(pipe_read_end, out, bytes); }));
}

Moved memory_to_pipe(int pipe_write_end, const char* data, size_t bytes) {
  return verdict(retry([&] { return ::write(pipe_write_end, data, bytes); }));
}

Moved read_cached(int file, uint64_t offset, char* out, size_t bytes) {
  iovec part{out, bytes};
  return verdict(
      retry([&] { return ::preadv2(file, &part, 1, static_cast<off_t>(offset), RWF_NOWAIT); }));
}

Moved read_file(int file, uint64_t offset, char* out, size_t bytes) {
  return verdict(retry([&] { return ::pread(file, out, bytes, static_cast<off_t>(offset)); }));
}

bool is_in_memory(int file) {
  struct statfs fs {};
  return ::fstatfs(file, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

bool tcp_counters(int socket, TcpCounters& out) {
  tcp_info info{};
  if (!read_tcp_info(socket, info)) return false;
  const int queued = unacknowledged_bytes(socket);
  if (queued < 0) return false;
  out.accepted = info.tcpi_bytes_acked + static_cast<uint64_t>(queued);
  out.acked = info.tcpi_bytes_acked;
  out.closed = info.tcpi_state == kTcpClose;
  out.idle = info.tcpi_unacked == 0;
  out.unpushed = out.idle && info.tcpi_notsent_bytes > 0;
  return true;
}

uint64_t tcp_accepted_at_least(int socket) {
  tcp_info info{};
  if (!read_tcp_info(socket, info)) return 0;
  return info.tcpi_bytes_acked + info.tcpi_notsent_bytes;
}

uint32_t round_trip_us(int socket) {
  tcp_info info{};
  return read_tcp_info(socket, info) ? info.tcpi_min_rtt : 0;
}

void push_pending(int socket) {
  const int on = 1, unsent = limits::kUnsentBytesMax;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}

int unacknowledged_bytes(int socket) {
  int bytes = 0;
  return ::ioctl(socket, SIOCOUTQ, &bytes) == 0 ? bytes : -1;
}

void clear_error(int socket) {
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length);
}

void half_close(int socket) {
  ::shutdown(socket, SHUT_WR);
}

void sever(int socket) {
  const linger reset{1, 0};
  // ENOTCONN: TCP has ended already, and there is nothing to reset.
  if (::shutdown(socket, SHUT_RDWR) == 0)
    ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

void set_rate_max(int socket, uint64_t bytes_per_s) {
  const unsigned rate =
      bytes_per_s == 0 ? ~0u : static_cast<unsigned>(std::min<uint64_t>(bytes_per_s, ~0u - 1));
  (void)::setsockopt(socket, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof rate);
}

bool peer_is_loopback(int socket) {
  Endpoint peer;
  if (!endpoint(socket, ::getpeername, peer)) return false;
  if (IN6_IS_ADDR_V4MAPPED(&peer.address)) return peer.address.s6_addr[12] == IN_LOOPBACKNET;
  return IN6_IS_ADDR_LOOPBACK(&peer.address);
}

bool peer_is_own_port(int socket, uint16_t port) {
  Endpoint peer, own;
  return endpoint(socket, ::getpeername, peer) && endpoint(socket, ::getsockname, own) &&
         peer.port == port && IN6_ARE_ADDR_EQUAL(&peer.address, &own.address);
}

ClientKey client_key(int socket) {
  Endpoint peer;
  ClientKey key;
  if (!endpoint(socket, ::getpeername, peer)) return key;
  ::memcpy(&key.high, peer.address.s6_addr, sizeof key.high);
  // A mapped IPv4 address is zero in its first 64 bits. The "ffff" keeps it apart from ::/64.
  if (IN6_IS_ADDR_V4MAPPED(&peer.address))
    ::memcpy(&key.low, peer.address.s6_addr + 8, sizeof key.low);
  return key;
}

std::string peer_address(int socket) {
  Endpoint peer;
  if (!endpoint(socket, ::getpeername, peer)) return {};
  char text[INET6_ADDRSTRLEN];
  const bool v4 = IN6_IS_ADDR_V4MAPPED(&peer.address);
  const void* address = v4 ? peer.address.s6_addr + 12 : peer.address.s6_addr;
  ::inet_ntop(v4 ? AF_INET : AF_INET6, address, text, sizeof text);
  return text;
}

std::string peer_name(int socket) {
  Endpoint peer;
  if (!endpoint(socket, ::getpeername, peer)) return {};
  const std::string text = peer_address(socket), port = ":" + std::to_string(peer.port);
  return text.find(':') == text.npos ? text + port : "[" + text + "]" + port;
}

}  // namespace spliced::os
