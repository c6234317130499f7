// SPDX-License-Identifier: Apache-2.0
// The one interface through which the engine waits and through which anything that may block (an
// open, a read from slow flash) is done. Two backends: io_uring (uring.cpp) and epoll with one
// worker thread (epoll.cpp); tests bring a third that steps (test/native/fakes/fake_ring.hpp).
//
// Every accepted operation ends in exactly one completion without `more`; until then the kernel may
// still use what was named in it. Owned and used by the engine thread; only wake() is for others.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace spliced::ring {

enum class Kind : uint8_t {
  Accept = 1,
  Watch,
  OpenFile,
  FillPipe,
  DrainPipe,
  Upstream,
  Send,
  Internal
};

// A watch, of a client's socket or of a backend's.
constexpr bool is_watch(Kind kind) {
  return kind == Kind::Watch || kind == Kind::Upstream;
}

// Says whose completion it is. `generation` tells a slot's present owner from an earlier one.
struct Token {
  Kind kind = Kind::Internal;
  uint32_t slot = 0;  // 24 bits
  uint32_t generation = 0;

  uint64_t pack() const {
    return uint64_t{static_cast<uint8_t>(kind)} << 56 | uint64_t{slot & 0xffffffu} << 32 |
           generation;
  }
  static Token unpack(uint64_t value) {
    return {static_cast<Kind>(value >> 56), static_cast<uint32_t>(value >> 32) & 0xffffffu,
            static_cast<uint32_t>(value)};
  }
};

struct Completion {
  Token token;
  // Accept, OpenFile: a descriptor that now belongs to the receiver. Watch, Upstream: poll(2) event
  // bits. FillPipe: bytes, 0 at the end of the file. DrainPipe, Send: bytes. All: a negative errno.
  int32_t result = 0;
  bool more = false;  // further completions of the same operation follow
};

class Ring {
 public:
  virtual ~Ring() = default;

  // Accepts until cancelled; sockets are O_NONBLOCK and O_CLOEXEC.
  virtual void accept(int listener, Token token) = 0;
  // Readiness of a socket (POLLIN, POLLOUT, POLLRDHUP), edge-triggered: what is ready now is
  // reported once, then every change. A result says "try", not "there is something".
  virtual void watch(int socket, Token token) = 0;
  // Ends an accept or a watch; its last completion still comes.
  virtual void cancel(int fd, Token token) = 0;
  // openat2(RESOLVE_BENEATH) of a path below `root`. `path` lives until the completion.
  virtual void open_file(int root, const char* path, Token token) = 0;
  // File to pipe, off the engine thread: a cold page may take its time.
  virtual void fill_pipe(int file, uint64_t offset, int pipe_write_end, size_t bytes,
                         Token token) = 0;

  // Pipe to file, off the engine thread: a write may wait for the disk (dirty pages are throttled).
  // The pipe has at least `bytes`, and nobody else touches it before the completion.
  virtual void drain_pipe(int pipe_read_end, int file, uint64_t offset, size_t bytes,
                          Token token) = 0;

  // Bytes to a socket, without waiting for room in it (-EAGAIN then). io_uring sends all of a turn
  // with the one system call that waits for the next, and returns nothing: the result comes as a
  // completion, until which `data` lives and nobody else sends on the socket. epoll sends at once
  // and returns the result; no completion comes then.
  virtual std::optional<int32_t> send(int socket, const char* data, size_t bytes, Token token) = 0;

  // What send() has queued goes out now: called before work that takes its time.
  virtual void submit_sends() = 0;

  // Submits what is due and waits for completions; `timeout_ms` < 0 waits for ever. Returns how
  // many were written to `out`; 0 after a time-out or a wake().
  virtual size_t wait(int timeout_ms, Completion* out, size_t capacity) = 0;
  virtual void wake() = 0;  // any thread
};

enum class Backend : uint8_t { Auto, Epoll };

struct Opened {
  std::unique_ptr<Ring> ring;
  const char* backend = "";  // "io_uring" or "epoll"
  std::string detail;        // set-up flags in use, or why io_uring is not used
};

// Called on the thread that will own the ring (IORING_SETUP_SINGLE_ISSUER). Empty `ring` only when
// not even epoll can be had (out of descriptors); `detail` then says why.
Opened open_ring(Backend wanted);

}  // namespace spliced::ring
