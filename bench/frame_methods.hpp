// SPDX-License-Identifier: Apache-2.0
// The ways to send a file as HTTP/2's DATA frames that transfer_probe.cpp compares: nine bytes,
// then as many of the file as a frame has, again and again.
#pragma once
#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <iterator>

#include "transfer_methods.hpp"

inline constexpr size_t kFrameHeadBytes = 9;
inline constexpr size_t kPageBytes = 4096;
inline constexpr size_t kRecordBytes = 16384;
inline constexpr size_t kFullRecord = kRecordBytes - kFrameHeadBytes;  // head and payload fill one
inline constexpr size_t kFramesPerCall = 10;  // six places each: as many as 256 KiB of a pipe take

inline char* frame_head(size_t index) {
  static char heads[kFramesPerCall][kFrameHeadBytes];
  return heads[index];
}

inline void send_frame_head(const Transfer& t, int flags) {
  struct iovec head = {frame_head(0), kFrameHeadBytes};
  send_all(t.socket, &head, 1, flags);
}

inline void send_file_part(const Transfer& t, off_t& offset, size_t bytes) {
  const off_t end = offset + static_cast<off_t>(bytes);
  while (offset < end) {
    if (sendfile(t.socket, t.file, &offset, end - offset) >= 0) continue;
    if (errno != EAGAIN) die("sendfile");
    wait_writable(t.socket);
  }
}

inline void send_frames(const Transfer& t, size_t payload, int head_flags) {
  for (off_t offset = 0; static_cast<size_t>(offset) < t.bytes;) {
    send_frame_head(t, head_flags);
    send_file_part(t, offset, std::min(payload, t.bytes - offset));
  }
}

inline void frames_by_sendfile(const Transfer& t) {
  send_frames(t, kFullRecord, MSG_MORE);
}
inline void frames_by_large_sendfile(const Transfer& t) {
  send_frames(t, kPieceBytes - kFrameHeadBytes, MSG_MORE);
}
// A record for each head: the file's pages begin where a record does.
inline void frames_with_own_record(const Transfer& t) {
  send_frames(t, kRecordBytes, 0);
}

inline void widen_pipe(const Transfer& t) {
  check(fcntl(t.pipe_write, F_SETPIPE_SZ, 256 * 1024), "F_SETPIPE_SZ");
}

// Calls `add(frame, offset, bytes)` for the frames of one call; how much of the file they have.
template <class Add>
size_t next_frames(const Transfer& t, size_t offset, size_t frames, Add add) {
  size_t taken = 0;
  for (size_t i = 0; i < frames && offset + taken < t.bytes; i++) {
    const size_t bytes = std::min(kFullRecord, t.bytes - offset - taken);
    add(i, offset + taken, bytes);
    taken += bytes;
  }
  return taken;
}

// Heads and pages into one pipe, then one splice.
inline void frames_by_pipe(const Transfer& t) {
  widen_pipe(t);
  for (size_t offset = 0; offset < t.bytes;) {
    size_t piped = 0;
    offset += next_frames(t, offset, kFramesPerCall, [&](size_t i, loff_t at, size_t bytes) {
      piped += check(write(t.pipe_write, frame_head(i), kFrameHeadBytes), "write");
      piped += check(splice(t.file, &at, t.pipe_write, nullptr, bytes, 0), "splice from file");
    });
    pipe_to_socket(t, piped, 0);
  }
}

// The same in one vmsplice, from a mapping that lasts as long as that. A head must stay as it is
// until it is encrypted.
inline void frames_by_vmsplice(const Transfer& t) {
  widen_pipe(t);
  for (size_t offset = 0; offset < t.bytes;) {
    const size_t page = offset % kPageBytes, from = offset - page;
    const size_t mapped = std::min(kFramesPerCall * kFullRecord, t.bytes - offset) + page;
    char* const map = static_cast<char*>(
        mmap(nullptr, mapped, PROT_READ, MAP_SHARED, t.file, static_cast<off_t>(from)));
    if (map == MAP_FAILED) die("mmap");
    struct iovec parts[2 * kFramesPerCall];
    size_t count = 0, all = 0;
    offset += next_frames(t, offset, kFramesPerCall, [&](size_t i, size_t at, size_t bytes) {
      parts[count++] = {frame_head(i), kFrameHeadBytes};
      parts[count++] = {map + (at - from), bytes};
      all += kFrameHeadBytes + bytes;
    });
    if (vmsplice(t.pipe_write, parts, count, 0) != static_cast<ssize_t>(all)) die("vmsplice");
    munmap(map, mapped);
    pipe_to_socket(t, all, 0);
  }
}

// One read into the gaps between the heads, one sendmsg: the bytes are copied twice.
inline void frames_by_preadv(const Transfer& t) {
  constexpr size_t kFrames = 4;
  static char buffer[kFrames * kRecordBytes];
  for (size_t offset = 0; offset < t.bytes;) {
    struct iovec gaps[kFrames];
    size_t count = 0;
    const size_t taken = next_frames(t, offset, kFrames, [&](size_t i, size_t, size_t bytes) {
      gaps[count++] = {buffer + i * kRecordBytes + kFrameHeadBytes, bytes};
    });
    if (preadv(t.file, gaps, count, offset) != static_cast<ssize_t>(taken)) die("preadv");
    struct iovec all = {buffer, taken + count * kFrameHeadBytes};
    send_all(t.socket, &all, 1, 0);
    offset += taken;
  }
}

// What one frame of a chain has come to.
struct Chained {
  size_t bytes = 0;
  int head = 0, filled = 0, moved = 0;
};

inline void finish_chained(const Transfer& t, const Chained& frame, off_t at) {
  struct iovec head = {frame_head(0), kFrameHeadBytes};
  if (frame.head <= 0) send_all(t.socket, &head, 1, MSG_MORE);
  const size_t filled = std::max(frame.filled, 0), moved = std::max(frame.moved, 0);
  pipe_to_socket(t, filled - moved, filled < frame.bytes ? SPLICE_F_MORE : 0);
  at += filled;
  send_file_part(t, at, frame.bytes - filled);
}

// Head, splice and splice of several frames as one chain of the ring; what breaks it is finished by
// plain calls.
inline void frames_by_ring(const Transfer& t) {
  constexpr size_t kFrames = 4;
  for (size_t offset = 0; offset < t.bytes;) {
    Chained frames[kFrames];
    size_t count = 0;
    const auto link = [&](struct io_uring_sqe* sqe, int* result) {
      sqe->flags |= IOSQE_IO_LINK;
      io_uring_sqe_set_data(sqe, result);
      return sqe;
    };
    struct io_uring_sqe* last = nullptr;
    const size_t taken = next_frames(t, offset, kFrames, [&](size_t i, size_t at, size_t bytes) {
      Chained& frame = frames[count++];
      frame.bytes = bytes;
      struct io_uring_sqe* sqe = io_uring_get_sqe(t.ring);
      io_uring_prep_send(sqe, t.socket, frame_head(i), kFrameHeadBytes, MSG_MORE | MSG_NOSIGNAL);
      link(sqe, &frame.head);
      sqe = io_uring_get_sqe(t.ring);
      io_uring_prep_splice(sqe, t.file, at, t.pipe_write, -1, bytes, 0);
      link(sqe, &frame.filled);
      sqe = io_uring_get_sqe(t.ring);
      io_uring_prep_splice(sqe, t.pipe_read, -1, t.socket, -1, bytes, 0);
      last = link(sqe, &frame.moved);
    });
    last->flags &= ~IOSQE_IO_LINK;
    if (io_uring_submit_and_wait(t.ring, 3 * count) < 0) die("io_uring_submit");
    for (size_t i = 0; i < 3 * count; i++) {
      struct io_uring_cqe* completion = nullptr;
      if (io_uring_wait_cqe(t.ring, &completion) < 0) die("io_uring_wait_cqe");
      *static_cast<int*>(io_uring_cqe_get_data(completion)) = completion->res;
      io_uring_cqe_seen(t.ring, completion);
    }
    off_t at = static_cast<off_t>(offset);
    for (size_t i = 0; i < count; i++) {
      finish_chained(t, frames[i], at);
      at += static_cast<off_t>(frames[i].bytes);
    }
    offset += taken;
  }
}

inline size_t frames_bytes(size_t bytes, size_t payload) {
  return bytes + kFrameHeadBytes * ((bytes + payload - 1) / payload);
}

struct FrameMethod {
  Method method;
  size_t payload;
};
inline constexpr FrameMethod kFrameMethods[] = {
    {{"sendfile, no frames", by_sendfile, false}, 0},
    {{"head, sendfile", frames_by_sendfile, false}, kFullRecord},
    {{"head in its own record, sendfile", frames_with_own_record, false}, kRecordBytes},
    {{"frames of 64 KiB, sendfile", frames_by_large_sendfile, false},
     kPieceBytes - kFrameHeadBytes},
    {{"heads and pages by a pipe", frames_by_pipe, false}, kFullRecord},
    {{"vmsplice of a mapping", frames_by_vmsplice, false}, kFullRecord},
    {{"preadv, sendmsg", frames_by_preadv, false}, kFullRecord},
    {{"a chain of the ring", frames_by_ring, false}, kFullRecord},
};
