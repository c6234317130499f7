// SPDX-License-Identifier: Apache-2.0
// See fake_kernel.hpp. The functions of os/socket_io.hpp and os/closer.hpp over simulated sockets,
// and files::open_beneath.
#include "fakes/fake_kernel.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "files/open_beneath.hpp"
#include "os/closer.hpp"
#include "os/framed_pages.hpp"

namespace spliced::fakes {
namespace {

std::unique_ptr<Kernel> present = std::make_unique<Kernel>();

}  // namespace

Kernel& kernel() {
  return *present;
}
void new_kernel() {
  present = std::make_unique<Kernel>();
}

int Kernel::open_socket() {
  const int fd = next_++;
  auto socket = std::make_unique<Socket>();
  socket->on_edge = [this, fd](int events) {
    if (on_edge) on_edge(fd, events);
  };
  sockets_[fd] = std::move(socket);
  return fd;
}

Socket* Kernel::use(int fd, const char* call) {
  const auto it = sockets_.find(fd);
  if (it != sockets_.end() && !it->second->closed()) return it->second.get();
  violations.add(std::string(call) + " on descriptor " + std::to_string(fd) +
                 (it == sockets_.end() ? ", which never was a socket" : ", which is closed"));
  return nullptr;
}

void Kernel::close(int fd) {
  if (Socket* socket = use(fd, "close")) {
    if (on_close) on_close(fd);
    socket->close();
  }
}

size_t Kernel::open_sockets() const {
  size_t count = 0;
  for (const auto& [fd, socket] : sockets_) count += socket->closed() ? 0 : 1;
  return count;
}

}  // namespace spliced::fakes

namespace spliced::os {

using fakes::kernel;

namespace {

// A real descriptor that is closed already would make every test of leaks worthless.
void check_real(int fd, const char* call) {
  if (::fcntl(fd, F_GETFD) < 0)
    kernel().violations.add(std::string(call) + " on a closed file or pipe");
}

Moved verdict(ssize_t result) {
  if (result > 0) return {Io::Done, static_cast<size_t>(result), 0};
  if (result == 0) return {Io::Eof, 0, 0};
  if (errno == EAGAIN) return {Io::WouldBlock, 0, 0};
  return {Io::Failed, 0, errno};
}

}  // namespace

Received receive_record(int socket, char* out, size_t capacity) {
  fakes::Socket* s = kernel().use(socket, "receive_record");
  return s != nullptr ? s->receive(out, capacity) : Received{Io::Failed, {}, 0, EBADF};
}

Received receive_plain(int socket, char* out, size_t capacity) {
  Received got = receive_record(socket, out, capacity);
  got.type = RecordType::ApplicationData;
  return got;
}

Moved send_bytes(int socket, const char* data, size_t bytes, bool more) {
  fakes::Socket* s = kernel().use(socket, "send_bytes");
  return s != nullptr ? s->send(data, bytes, more) : Moved{Io::Failed, 0, EBADF};
}

Moved send_two(int socket, std::string_view first, std::string_view second) {
  fakes::Socket* s = kernel().use(socket, "send_two");
  if (s == nullptr) return {Io::Failed, 0, EBADF};
  const std::string both = std::string(first) + std::string(second);
  return s->send(both.data(), both.size(), /*more=*/false);
}

Moved send_control(int socket, RecordType type, const void* payload, size_t bytes) {
  fakes::Socket* s = kernel().use(socket, "send_control");
  if (s == nullptr) return {Io::Failed, 0, EBADF};
  return s->send_control(type, {static_cast<const char*>(payload), bytes});
}

// A pipe has room for so many bytes. A kernel-TLS socket gives one data record or what is left of
// it, and what does not fit into the pipe is lost (net/tls/tls_sw.c: tls_sw_splice_read).
Moved socket_to_pipe(int socket, int pipe_write_end, size_t bytes) {
  check_real(pipe_write_end, "socket_to_pipe");
  fakes::Socket* s = kernel().use(socket, "socket_to_pipe");
  if (s == nullptr) return {Io::Failed, 0, EBADF};
  if (s->next_is_control()) return {Io::Failed, 0, EINVAL};
  int there = 0;
  if (::ioctl(pipe_write_end, FIONREAD, &there) != 0) return {Io::Failed, 0, errno};
  const size_t room = static_cast<size_t>(::fcntl(pipe_write_end, F_GETPIPE_SZ) - there);
  if (room == 0) return {Io::WouldBlock, 0, 0};
  const size_t most = s->promoted() ? s->next_record_bytes() : room;
  std::string data(std::min(bytes, std::max<size_t>(most, 1)), 0);
  const Received got = s->receive(data.data(), data.size());
  if (got.io != Io::Done) return {got.io, 0, got.error};
  if (::write(pipe_write_end, data.data(), got.bytes) != static_cast<ssize_t>(got.bytes))
    kernel().violations.add("a pipe had no room for what a socket gave it");
  return {Io::Done, got.bytes, 0};
}

// As fs/splice.c: sixteen pages at a time, MSG_MORE until the last of them.
Moved file_to_socket(int file, uint64_t offset, int socket, size_t bytes) {
  check_real(file, "file_to_socket");
  fakes::Socket* s = kernel().use(socket, "file_to_socket");
  if (s == nullptr) return {Io::Failed, 0, EBADF};
  if (kernel().residency == fakes::Kernel::Residency::Cold)
    kernel().violations.add("file_to_socket of what is not in the page cache");
  size_t sent = 0;
  std::string piece(65536, 0);
  while (sent < bytes) {
    const ssize_t got = ::pread(file, piece.data(), std::min(piece.size(), bytes - sent),
                                static_cast<off_t>(offset + sent));
    if (got <= 0) break;
    const size_t part = static_cast<size_t>(got);
    const Moved moved = s->send(piece.data(), part, sent + part < bytes);
    if (moved.io != Io::Done) {
      if (sent > 0) break;
      return moved;
    }
    sent += moved.bytes;
    if (moved.bytes < part) break;
  }
  return sent > 0 ? Moved{Io::Done, sent, 0} : Moved{Io::Eof, 0, 0};
}

Moved pipe_to_socket(int pipe_read_end, int socket, size_t bytes, bool more) {
  check_real(pipe_read_end, "pipe_to_socket");
  fakes::Socket* s = kernel().use(socket, "pipe_to_socket");
  if (s == nullptr) return {Io::Failed, 0, EBADF};
  // What the socket does not take stays in the pipe: look with tee, then consume what was taken.
  int ends[2];
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return {Io::Failed, 0, errno};
  (void)::fcntl(ends[1], F_SETPIPE_SZ, ::fcntl(pipe_read_end, F_GETPIPE_SZ));
  const ssize_t there = ::tee(pipe_read_end, ends[1], bytes, SPLICE_F_NONBLOCK);
  std::string data(there > 0 ? static_cast<size_t>(there) : 0, 0);
  const ssize_t seen = data.empty() ? 0 : ::read(ends[0], data.data(), data.size());
  ::close(ends[0]);
  ::close(ends[1]);
  if (seen != there || there < static_cast<ssize_t>(bytes))
    kernel().violations.add("pipe_to_socket of more bytes than are in the pipe");
  const Moved moved = s->send(data.data(), data.size(), more);
  for (size_t left = moved.io == Io::Done ? moved.bytes : 0; left > 0;)
    left -= static_cast<size_t>(::read(pipe_read_end, data.data(), left));
  return moved;
}

Moved framed_pages_to_pipe(int pipe_write_end, MappedWindows&, const FramedPages* pieces,
                           size_t count) {
  check_real(pipe_write_end, "framed_pages_to_pipe");
  if (kernel().residency == fakes::Kernel::Residency::Cold)
    kernel().violations.add("framed_pages_to_pipe of what is not in the page cache");
  kernel().frame_calls++;
  if (const int error = kernel().maps_fail_with) return {Io::Failed, 0, error};
  size_t moved = 0;
  for (size_t i = 0; i < count && moved < kernel().pipes_take_at_most; i++) {
    check_real(pieces[i].file, "framed_pages_to_pipe");
    std::string piece(pieces[i].head, pieces[i].head_bytes);
    piece.resize(pieces[i].head_bytes + pieces[i].bytes);
    const ssize_t got = ::pread(pieces[i].file, piece.data() + pieces[i].head_bytes,
                                pieces[i].bytes, static_cast<off_t>(pieces[i].offset));
    if (got < static_cast<ssize_t>(pieces[i].bytes))
      piece.resize(pieces[i].head_bytes + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    const bool ends = piece.size() < pieces[i].head_bytes + pieces[i].bytes;
    piece.resize(std::min(piece.size(), kernel().pipes_take_at_most - moved));
    if (::write(pipe_write_end, piece.data(), piece.size()) != static_cast<ssize_t>(piece.size()))
      kernel().violations.add("a pipe had no room for the frames of one call");
    moved += piece.size();
    if (ends) break;
  }
  return moved > 0 ? Moved{Io::Done, moved, 0} : Moved{Io::WouldBlock, 0, 0};
}

Moved pipe_to_memory(int pipe_read_end, char* out, size_t bytes) {
  check_real(pipe_read_end, "pipe_to_memory");
  return verdict(::read(pipe_read_end, out, bytes));
}

Moved memory_to_pipe(int pipe_write_end, const char* data, size_t bytes) {
  check_real(pipe_write_end, "memory_to_pipe");
  return verdict(::write(pipe_write_end, data, bytes));
}

Moved read_cached(int file, uint64_t offset, char* out, size_t bytes) {
  check_real(file, "read_cached");
  switch (kernel().residency) {
    case fakes::Kernel::Residency::Resident:
      return verdict(::pread(file, out, bytes, static_cast<off_t>(offset)));
    case fakes::Kernel::Residency::Cold:
      return {Io::WouldBlock, 0, 0};
    case fakes::Kernel::Residency::InMemory:
    case fakes::Kernel::Residency::Unknown:
      break;
  }
  return {Io::Failed, 0, EOPNOTSUPP};
}

Moved read_file(int file, uint64_t offset, char* out, size_t bytes) {
  check_real(file, "read_file");
  return verdict(::pread(file, out, bytes, static_cast<off_t>(offset)));
}

bool is_in_memory(int) {
  return kernel().residency == fakes::Kernel::Residency::InMemory;
}

bool tcp_counters(int socket, TcpCounters& out) {
  fakes::Socket* s = kernel().use(socket, "tcp_counters");
  return s != nullptr && s->counters(out);
}

uint64_t tcp_accepted_at_least(int socket) {
  fakes::Socket* s = kernel().use(socket, "tcp_accepted_at_least");
  return s != nullptr ? s->accepted_at_least() : 0;
}

uint32_t round_trip_us(int socket) {
  fakes::Socket* s = kernel().use(socket, "round_trip_us");
  return s != nullptr ? s->round_trip_us : 0;
}

int unacknowledged_bytes(int socket) {
  fakes::Socket* s = kernel().use(socket, "unacknowledged_bytes");
  return s != nullptr ? s->unacknowledged() : -1;
}

void clear_error(int socket) {
  if (fakes::Socket* s = kernel().use(socket, "clear_error")) s->clear_error();
}

void push_pending(int socket) {
  if (fakes::Socket* s = kernel().use(socket, "push_pending")) s->push_pending();
}

void half_close(int socket) {
  if (fakes::Socket* s = kernel().use(socket, "half_close")) s->half_close();
}

void sever(int socket) {
  if (fakes::Socket* s = kernel().use(socket, "sever")) s->sever();
}

void set_rate_max(int socket, uint64_t bytes_per_s) {
  if (fakes::Socket* s = kernel().use(socket, "set_rate_max")) s->rate_max = bytes_per_s;
}

bool peer_is_loopback(int socket) {
  fakes::Socket* s = kernel().use(socket, "peer_is_loopback");
  return s != nullptr && s->peer_is_loopback;
}

ClientKey client_key(int socket) {
  fakes::Socket* s = kernel().use(socket, "client_key");
  return {0, s == nullptr ? 0 : s->peer_address};
}

bool peer_is_own_port(int socket, uint16_t port) {
  fakes::Socket* s = kernel().use(socket, "peer_is_own_port");
  return s != nullptr && s->own_port == port && port != 0;
}

std::string peer_address(int socket) {
  return kernel().use(socket, "peer_address") != nullptr ? "192.0.2.1" : "";
}

std::string peer_name(int socket) {
  return kernel().use(socket, "peer_name") != nullptr ? "192.0.2.1:" + std::to_string(socket) : "";
}

// The closer without its thread. What is held is closed by stop().
bool Closer::start() {
  return true;
}

void Closer::close(int fd) {
  backlog_.fetch_add(1);
  queue_.push_back(fd);
  if (kernel().on_handover) kernel().on_handover(fd);
  if (!kernel().hold_closes) (void)stop(0);
}

bool Closer::stop(uint32_t) {
  for (int fd : queue_) kernel().close(fd);
  backlog_.fetch_sub(static_cast<uint32_t>(queue_.size()));
  queue_.clear();
  return true;
}

}  // namespace spliced::os

int spliced::files::open_beneath(int root, const char* path, Lookup lookup) {
  if (lookup == Lookup::Resident && !fakes::kernel().names_resident) return -EAGAIN;
  const long fd = ::syscall(SYS_openat2, root, path, &kOpenBeneath, sizeof kOpenBeneath);
  return fd < 0 ? -errno : static_cast<int>(fd);
}
