// SPDX-License-Identifier: Apache-2.0
// The only interface through which an engine waits, and through which anything is done that may
// block (an open, a read from slow flash). Two backends have it: io_uring (uring.cpp), and epoll
// with a worker thread (epoll.cpp). Tests bring a third, which they step
// (test/native/fakes/fake_ring.hpp).
//
// Every accepted operation ends in exactly one completion without `more`. Until then the kernel may
// use what the operation named. The engine's thread owns and uses it; others call wake() alone.
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

// Whether it is a watch, of a client's socket or of a backend's.
constexpr bool is_watch(Kind kind) {
  return kind == Kind::Watch || kind == Kind::Upstream;
}

// Says whose completion it is. `generation` distinguishes a slot's present owner from earlier ones.
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
  // Accept, OpenFile: a descriptor, which the receiver now owns. Watch, Upstream: event bits of
  // poll(2). FillPipe: bytes, 0 at the end of the file. DrainPipe, Send: bytes. For all: a negative
  // errno.
  int32_t result = 0;
  bool more = false;  // further completions of the same operation follow
};

class Ring {
 public:
  virtual ~Ring() = default;

  // Accepts connections until cancelled. Their sockets are O_NONBLOCK and O_CLOEXEC.
  virtual void accept(int listener, Token token) = 0;
  // Reports the readiness of a socket (POLLIN, POLLOUT, POLLRDHUP), edge-triggered: the present
  // state once, then every change. A result says "try", not "there is something".
  virtual void watch(int socket, Token token) = 0;
  // Ends an accept or a watch. Its last completion still comes.
  virtual void cancel(int fd, Token token) = 0;
  // Opens a path below `root` by openat2(RESOLVE_BENEATH). `path` must live until the completion.
  virtual void open_file(int root, const char* path, Token token) = 0;
  // File to pipe, off the engine's thread, because a page that is not cached may take long.
  virtual void fill_pipe(int file, uint64_t offset, int pipe_write_end, size_t bytes,
                         Token token) = 0;

  // Pipe to file, off the engine's thread, because a write may wait for the disk (dirty pages are
  // throttled). The pipe holds at least `bytes`, and nobody else touches it before the completion.
  virtual void drain_pipe(int pipe_read_end, int file, uint64_t offset, size_t bytes,
                          Token token) = 0;

  // Sends bytes without waiting for room in the socket (-EAGAIN then). io_uring returns nothing and
  // sends all of a turn with the one system call that waits for the next turn. The result comes as
  // a completion; until then `data` must live, and nobody else may send on the socket. epoll sends
  // at once and returns the result, and so does io_uring if the last wait() brought one completion
  // alone; no completion follows.
  virtual std::optional<int32_t> send(int socket, const char* data, size_t bytes, Token token) = 0;

  // Submits what send() has queued. To be called before work that takes long.
  virtual void submit_sends() = 0;

  // Submits what is due and waits for completions; with `timeout_ms` < 0 for ever. Returns how many
  // it wrote to `out`; 0 after a time-out or a wake().
  virtual size_t wait(int timeout_ms, Completion* out, size_t capacity) = 0;
  virtual void wake() = 0;  // any thread
};

enum class Backend : uint8_t { Auto, Epoll };

struct Opened {
  std::unique_ptr<Ring> ring;
  const char* backend = "";  // "io_uring" or "epoll"
  std::string detail;        // set-up flags in use, or why io_uring is not used
};

// To be called on the thread that will own the ring (IORING_SETUP_SINGLE_ISSUER). `ring` is empty
// only if not even epoll can be had (out of descriptors); `detail` then says why.
Opened open_ring(Backend wanted);

}  // namespace spliced::ring
