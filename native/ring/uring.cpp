// SPDX-License-Identifier: Apache-2.0
// The io_uring backend. It uses SINGLE_ISSUER | DEFER_TASKRUN where the kernel has them (6.1):
// completions then run only inside wait(), so that none interrupts a system call of the data path.
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "base/limits.hpp"
#include "files/open_beneath.hpp"
#include "os/fd.hpp"
#include "ring/accepting.hpp"
#include "ring/backends.hpp"

// Constants that older liburing headers (Ubuntu 22.04's 2.1) do not have.
#ifndef IORING_SETUP_COOP_TASKRUN
#define IORING_SETUP_COOP_TASKRUN (1U << 8)
#endif
#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif

namespace spliced::ring {
namespace {

constexpr unsigned kFailuresMax = 1000;
constexpr short kWatched = POLLIN | POLLOUT | POLLRDHUP;

class Uring final : public Ring {
 public:
  Uring() = default;
  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;
  ~Uring() override {
    if (initialised_) ::io_uring_queue_exit(&ring_);
  }

  bool initialise(std::string& detail);

  void accept(int listener, Token token) override {
    accepting_.add(listener, token);
    watch_listener(listener, token);
  }

  void watch(int socket, Token token) override {
    io_uring_sqe* sqe = next();
    ::io_uring_prep_poll_add(sqe, socket, kWatched);
    sqe->len = IORING_POLL_ADD_MULTI;
    sqe->user_data = token.pack();
  }

  void cancel(int, Token token) override {
    // The ring may have reported the listener already, and then there is nothing to cancel.
    if (Accepting::Listener* listener = accepting_.find(token)) listener->cancelled = true;
    io_uring_sqe* sqe = next();
    ::io_uring_prep_rw(IORING_OP_ASYNC_CANCEL, sqe, -1, reinterpret_cast<void*>(token.pack()), 0,
                       0);
    sqe->addr = token.pack();  // 64 bits on 32-bit machines too
    sqe->user_data = Token{}.pack();
  }

  void open_file(int root, const char* path, Token token) override {
    io_uring_sqe* sqe = next();
    ::io_uring_prep_openat2(sqe, root, path, const_cast<open_how*>(&files::kOpenBeneath));
    sqe->user_data = token.pack();
  }

  void fill_pipe(int file, uint64_t offset, int pipe_write_end, size_t bytes,
                 Token token) override {
    io_uring_sqe* sqe = next();
    ::io_uring_prep_splice(sqe, file, static_cast<int64_t>(offset), pipe_write_end, -1,
                           static_cast<unsigned>(bytes), 0);
    sqe->user_data = token.pack();
  }

  void drain_pipe(int pipe_read_end, int file, uint64_t offset, size_t bytes,
                  Token token) override {
    io_uring_sqe* sqe = next();
    ::io_uring_prep_splice(sqe, pipe_read_end, -1, file, static_cast<int64_t>(offset),
                           static_cast<unsigned>(bytes), 0);
    sqe->user_data = token.pack();
  }

  // MSG_DONTWAIT: the send completes during its submission, never in a worker or after a poll
  // (io_uring/net.c: io_send; REQ_F_NOWAIT). So the wait that submits it returns at once, and a
  // turn follows for the results. That is worth it where several are sent. Behind an only event
  // there is mostly one response: sent now, it costs no such turn.
  std::optional<int32_t> send(int socket, const char* data, size_t bytes, Token token) override {
    if (only_event_) return send_now(socket, data, bytes);
    io_uring_sqe* sqe = next();
    ::io_uring_prep_send(sqe, socket, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    sqe->user_data = token.pack();
    sends_queued_ = true;
    return std::nullopt;
  }

  void submit_sends() override {
    if (std::exchange(sends_queued_, false)) ::io_uring_submit(&ring_);
  }

  size_t wait(int timeout_ms, Completion* out, size_t capacity) override;

  void wake() override {
    const uint64_t one = 1;
    [[maybe_unused]] ssize_t ignored = ::write(wake_.get(), &one, sizeof one);
  }

 private:
  io_uring_sqe* next();
  void submit_waiting();
  void watch_wake();
  void watch_listener(int listener, Token token);
  void on_listener(int32_t result, Token token);
  // False for completions of the backend's own operations.
  bool translate(const io_uring_cqe& cqe, Completion& out);

  io_uring ring_{};
  bool initialised_ = false;
  bool sends_queued_ = false;
  bool only_event_ = false;  // the last wait() brought one completion
  Accepting accepting_;
  std::vector<Completion> accepted_;  // fewer than one wait() returns
  unsigned failures_ = 0;
  // Operations for which the submission queue had no room while the kernel refused to take it
  // (EBUSY, EAGAIN); bounded by the operations that the connections may have under way.
  std::deque<io_uring_sqe> waiting_;
  os::Fd wake_;
};

std::string refusal(int error) {
  const std::string name = ::strerror(error);
  switch (error) {
    case ENOSYS:
      return "io_uring_setup: ENOSYS: this kernel is built without io_uring";
    case EPERM:
      return "io_uring_setup: EPERM: forbidden by kernel.io_uring_disabled or a seccomp filter";
    case ENOMEM:
      return "io_uring_setup: ENOMEM: RLIMIT_MEMLOCK is too small for this kernel";
    default:
      return "io_uring_setup: " + name;
  }
}

bool Uring::initialise(std::string& detail) {
  wake_ = os::Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_) {
    detail = std::string("eventfd: ") + ::strerror(errno);
    return false;
  }
  struct Attempt {
    unsigned flags;
    const char* name;
  };
  const Attempt attempts[] = {
      {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, "single_issuer, defer_taskrun"},
      {IORING_SETUP_COOP_TASKRUN, "coop_taskrun"},
      {0, "plain"},
  };
  int result = -EINVAL;
  for (const Attempt& attempt : attempts) {
    io_uring_params params{};
    params.flags = attempt.flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    params.cq_entries = limits::kRingCompletions;
    result = ::io_uring_queue_init_params(limits::kRingEntries, &ring_, &params);
    if (result == 0) {
      detail = attempt.name;
      break;
    }
    if (result != -EINVAL) break;
  }
  if (result != 0) {
    detail = refusal(-result);
    return false;
  }
  initialised_ = true;
  // A child between fork and exec (how Node starts programs) must not have our queues.
  (void)::io_uring_ring_dontfork(&ring_);
  // A feature bit of 5.13, which also brought multishot poll.
  if ((ring_.features & IORING_FEAT_RSRC_TAGS) == 0) {
    detail = "the kernel is older than 5.13: no multishot poll";
    return false;
  }
  unsigned workers[2] = {limits::kRingWorkersMax, limits::kRingWorkersMax};
  ::io_uring_register_iowq_max_workers(&ring_, workers);  // 5.15; works without this bound
  watch_wake();
  return true;
}

io_uring_sqe* Uring::next() {
  if (waiting_.empty()) {
    io_uring_sqe* sqe = ::io_uring_get_sqe(&ring_);
    if (sqe == nullptr) {
      ::io_uring_submit(&ring_);
      sqe = ::io_uring_get_sqe(&ring_);
    }
    if (sqe != nullptr) return sqe;
  }
  waiting_.emplace_back();
  return &waiting_.back();
}

void Uring::submit_waiting() {
  while (!waiting_.empty()) {
    io_uring_sqe* sqe = ::io_uring_get_sqe(&ring_);
    if (sqe == nullptr) return;
    *sqe = waiting_.front();
    waiting_.pop_front();
  }
}

void Uring::watch_wake() {
  io_uring_sqe* sqe = next();
  ::io_uring_prep_poll_add(sqe, wake_.get(), POLLIN);
  sqe->len = IORING_POLL_ADD_MULTI;
  sqe->user_data = Token{Kind::Internal, 1, 0}.pack();
}

// One-shot. It reports present readiness, so a listener with connections left is seen again.
void Uring::watch_listener(int listener, Token token) {
  io_uring_sqe* sqe = next();
  ::io_uring_prep_poll_add(sqe, listener, POLLIN);
  sqe->user_data = token.pack();
}

void Uring::on_listener(int32_t result, Token token) {
  const Accepting::Listener* listener = accepting_.find(token);
  SPLICED_ASSERT(listener != nullptr);
  if (listener->cancelled) result = -ECANCELED;
  if (result >= 0) result = accept_some(listener->fd, token, accepted_);
  if (result == 0) return watch_listener(listener->fd, token);
  accepted_.push_back({token, result, false});
  accepting_.forget(token);
}

bool Uring::translate(const io_uring_cqe& cqe, Completion& out) {
  const bool more = (cqe.flags & IORING_CQE_F_MORE) != 0;
  out = {Token::unpack(cqe.user_data), cqe.res, more};
  if (out.token.kind == Kind::Internal) {
    if (out.token.slot == 1) {
      uint64_t count;
      [[maybe_unused]] ssize_t ignored = ::read(wake_.get(), &count, sizeof count);
      if (!more) watch_wake();
    }
    return false;
  }
  if (out.token.kind != Kind::Accept) return true;
  on_listener(cqe.res, out.token);
  return false;
}

size_t Uring::wait(int timeout_ms, Completion* out, size_t capacity) {
  // liburing asks the kernel for events only if more are wanted than are queued, and only then does
  // the kernel run what it deferred (DEFER_TASKRUN). So more are asked for than are there.
  // Otherwise sends, whose completions come at once, could keep every other event out.
  const unsigned there = ::io_uring_cq_ready(&ring_);
  if (!accepted_.empty() || there > 0) timeout_ms = 0;
  sends_queued_ = false;
  __kernel_timespec timeout{};
  timeout.tv_sec = timeout_ms / 1000;
  timeout.tv_nsec = (timeout_ms % 1000) * 1'000'000ll;
  io_uring_cqe* first = nullptr;
  submit_waiting();
  // A time-out of 0 would start a timer and sleep until it expires.
  const int waited = timeout_ms == 0 ? ::io_uring_submit_and_get_events(&ring_)
                                     : ::io_uring_submit_and_wait_timeout(
                                           &ring_, &first, there + 1,
                                           timeout_ms < 0 ? nullptr : &timeout, nullptr);
  const bool passing =
      waited >= 0 || waited == -ETIME || waited == -EINTR || waited == -EAGAIN || waited == -EBUSY;
  failures_ = passing ? 0 : failures_ + 1;
  // The ring cannot be used any more: end the process instead of a busy loop.
  SPLICED_ASSERT(failures_ < kFailuresMax);
  size_t count = 0;
  unsigned seen = 0, head;
  io_uring_cqe* cqe;
  io_uring_for_each_cqe(&ring_, head, cqe) {
    if (count == capacity) break;
    seen++;
    if (translate(*cqe, out[count])) count++;
  }
  ::io_uring_cq_advance(&ring_, seen);
  const size_t taken = std::min(accepted_.size(), capacity - count);
  std::copy_n(accepted_.begin(), taken, out + count);
  accepted_.erase(accepted_.begin(), accepted_.begin() + static_cast<std::ptrdiff_t>(taken));
  only_event_ = count + taken == 1;
  return count + taken;
}

}  // namespace

std::unique_ptr<Ring> open_uring(std::string& detail) {
  auto ring = std::make_unique<Uring>();
  if (!ring->initialise(detail)) return nullptr;
  return ring;
}

}  // namespace spliced::ring
