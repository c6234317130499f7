// SPDX-License-Identifier: Apache-2.0
// The ways to send one response (a head, then a file) that transfer_probe.cpp compares, as plain
// functions on a non-blocking kernel-TLS socket.
#pragma once
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

inline constexpr size_t kPieceBytes = 65536;
inline constexpr size_t kHeadBytes = 250;
inline constexpr size_t kRequestBytes = 64;
inline const char kHead[kHeadBytes] = {'H', 'T', 'T', 'P'};

[[noreturn]] inline void die(const char* what) {
  fprintf(stderr, "transfer-probe: %s: %s\n", what, strerror(errno));
  exit(1);
}

inline ssize_t check(ssize_t result, const char* what) {
  if (result < 0) die(what);
  return result;
}

// What a sender works on: one response is kHead and `bytes` of `file`, whose first bytes are
// `memory`.
struct Transfer {
  int socket, file, pipe_read, pipe_write;
  struct io_uring* ring;
  const char* memory;
  size_t bytes;
};

inline void wait_writable(int socket) {
  struct pollfd poll_fd = {socket, POLLOUT, 0};
  check(poll(&poll_fd, 1, 5000), "poll");
}

inline void send_all(int socket, struct iovec* parts, int count, int flags) {
  struct msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = count;
  while (message.msg_iovlen > 0) {
    const ssize_t sent = sendmsg(socket, &message, flags | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) die("sendmsg");
    if (sent < 0) {
      wait_writable(socket);
      continue;
    }
    size_t left = sent;
    while (message.msg_iovlen > 0 && left >= message.msg_iov->iov_len) {
      left -= message.msg_iov->iov_len;
      ++message.msg_iov;
      --message.msg_iovlen;
    }
    if (message.msg_iovlen > 0) {
      message.msg_iov->iov_base = static_cast<char*>(message.msg_iov->iov_base) + left;
      message.msg_iov->iov_len -= left;
    }
  }
}

inline void send_head(const Transfer& t) {
  struct iovec head = {const_cast<char*>(kHead), kHeadBytes};
  send_all(t.socket, &head, 1, MSG_MORE);
}

inline void by_sendfile(const Transfer& t) {
  send_head(t);
  off_t offset = 0;
  while (static_cast<size_t>(offset) < t.bytes) {
    const size_t piece = std::min(kPieceBytes, t.bytes - offset);
    if (sendfile(t.socket, t.file, &offset, piece) >= 0) continue;
    if (errno != EAGAIN) die("sendfile");
    wait_writable(t.socket);
  }
}

inline void pipe_to_socket(const Transfer& t, size_t piece, unsigned more) {
  while (piece > 0) {
    const ssize_t moved =
        splice(t.pipe_read, nullptr, t.socket, nullptr, piece, SPLICE_F_NONBLOCK | more);
    if (moved > 0) piece -= moved;
    if (moved < 0 && errno != EAGAIN) die("splice to socket");
    if (moved < 0) wait_writable(t.socket);
  }
}

inline void by_splice(const Transfer& t) {
  send_head(t);
  loff_t offset = 0;
  while (static_cast<size_t>(offset) < t.bytes) {
    const size_t piece = check(splice(t.file, &offset, t.pipe_write, nullptr,
                                      std::min(kPieceBytes, t.bytes - offset), SPLICE_F_NONBLOCK),
                               "splice from file");
    pipe_to_socket(t, piece, static_cast<size_t>(offset) < t.bytes ? SPLICE_F_MORE : 0);
  }
}

// The same two splices as a linked pair; what the second could not move is then moved as in
// by_splice.
inline void by_ring(const Transfer& t) {
  send_head(t);
  loff_t offset = 0;
  while (static_cast<size_t>(offset) < t.bytes) {
    const size_t piece = std::min(kPieceBytes, t.bytes - offset);
    const unsigned more = offset + piece < t.bytes ? SPLICE_F_MORE : 0;
    struct io_uring_sqe* fill = io_uring_get_sqe(t.ring);
    io_uring_prep_splice(fill, t.file, offset, t.pipe_write, -1, piece, 0);
    fill->flags |= IOSQE_IO_LINK;
    fill->user_data = 0;
    struct io_uring_sqe* empty = io_uring_get_sqe(t.ring);
    io_uring_prep_splice(empty, t.pipe_read, -1, t.socket, -1, piece, more);
    empty->user_data = 1;
    check(-io_uring_submit_and_wait(t.ring, 2) > 0 ? -1 : 0, "io_uring_submit");
    ssize_t results[2] = {};
    for (int i = 0; i < 2; ++i) {
      struct io_uring_cqe* completion = nullptr;
      if (io_uring_wait_cqe(t.ring, &completion) < 0) die("io_uring_wait_cqe");
      results[completion->user_data] = completion->res;
      io_uring_cqe_seen(t.ring, completion);
    }
    errno = results[0] < 0 ? -results[0] : 0;
    check(results[0] < 0 ? -1 : 0, "ring splice from file");
    const ssize_t moved = results[1];
    if (moved < 0 && moved != -EAGAIN && moved != -ECANCELED) errno = -moved, die("ring splice");
    pipe_to_socket(t, results[0] - std::max<ssize_t>(moved, 0), more);
    offset += results[0];
  }
}

inline void by_sendmsg_from_memory(const Transfer& t) {
  struct iovec parts[2] = {{const_cast<char*>(kHead), kHeadBytes},
                           {const_cast<char*>(t.memory), t.bytes}};
  send_all(t.socket, parts, 2, 0);
}

inline void by_pread_and_sendmsg(const Transfer& t) {
  static char buffer[kPieceBytes];
  check(pread(t.file, buffer, t.bytes, 0), "pread");
  struct iovec parts[2] = {{const_cast<char*>(kHead), kHeadBytes}, {buffer, t.bytes}};
  send_all(t.socket, parts, 2, 0);
}

struct Method {
  const char* name;
  void (*send)(const Transfer&);
  bool small_only;
};
inline constexpr Method kMethods[] = {
    {"sendfile", by_sendfile, false},
    {"splice", by_splice, false},
    {"ring", by_ring, false},
    {"sendmsg-memory", by_sendmsg_from_memory, true},
    {"pread-sendmsg", by_pread_and_sendmsg, true},
};
