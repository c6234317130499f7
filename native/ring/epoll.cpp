// SPDX-License-Identifier: Apache-2.0
// The epoll backend, for kernels and policies without io_uring: edge-triggered epoll for readiness,
// accepts on the engine's thread, file operations in a FileWorker.
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <vector>

#include "ring/accepting.hpp"
#include "ring/backends.hpp"
#include "ring/file_worker.hpp"

namespace spliced::ring {
namespace {

static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLRDHUP == POLLRDHUP &&
              EPOLLERR == POLLERR && EPOLLHUP == POLLHUP);

constexpr int kEventsPerWait = 128;

class Epoll final : public Ring {
 public:
  bool initialise(std::string& detail);

  void accept(int listener, Token token) override {
    accepting_.add(listener, token);
    // Level-triggered, so that a listener with connections left is reported again.
    add(listener, EPOLLIN, token);
  }

  void watch(int socket, Token token) override {
    add(socket, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, token);
  }

  void cancel(int fd, Token token) override {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    accepting_.forget(token);
    ready_.push_back({token, -ECANCELED, false});
  }

  void open_file(int root, const char* path, Token token) override {
    FileJob job;
    job.token = token;
    job.fd = root;
    job.path = path;
    worker_.submit(job);
  }

  void fill_pipe(int file, uint64_t offset, int pipe, size_t bytes, Token token) override {
    worker_.submit({token, file, nullptr, offset, pipe, bytes});
  }

  void drain_pipe(int pipe, int file, uint64_t offset, size_t bytes, Token token) override {
    if (!writes_ && !(writes_ = writer_.start(wake_.get()))) {
      ready_.push_back({token, -EAGAIN, false});
      return;
    }
    writer_.submit({token, file, nullptr, offset, pipe, bytes});
  }

  std::optional<int32_t> send(int socket, const char* data, size_t bytes, Token) override {
    return send_now(socket, data, bytes);
  }
  void submit_sends() override {}

  size_t wait(int timeout_ms, Completion* out, size_t capacity) override;

  void wake() override {
    const uint64_t one = 1;
    [[maybe_unused]] ssize_t ignored = ::write(wake_.get(), &one, sizeof one);
  }

 private:
  void add(int fd, uint32_t events, Token token);
  void on_event(const epoll_event& event);

  os::Fd epoll_, wake_;
  Accepting accepting_;
  std::vector<Completion> ready_;
  // Last members: joined before what they write to is closed. Two, so that reads do not wait for
  // writes.
  FileWorker worker_, writer_;
  bool writes_ = false;  // the first write has started `writer_`
};

bool Epoll::initialise(std::string& detail) {
  epoll_ = os::Fd(::epoll_create1(EPOLL_CLOEXEC));
  wake_ = os::Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll_ || !wake_) {
    detail = std::string("epoll: ") + ::strerror(errno);
    return false;
  }
  add(wake_.get(), EPOLLIN, Token{});
  if (worker_.start(wake_.get())) return true;
  detail = "no thread for file operations: raise TasksMax or RLIMIT_NPROC";
  return false;
}

void Epoll::add(int fd, uint32_t events, Token token) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = token.pack();
  // Out of memory or of watches: the operation completes with the error, as with io_uring.
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    const int error = errno;
    accepting_.forget(token);
    ready_.push_back({token, -error, false});
  }
}

void Epoll::on_event(const epoll_event& event) {
  const Token token = Token::unpack(event.data.u64);
  if (token.kind == Kind::Internal) {
    uint64_t count;
    [[maybe_unused]] ssize_t ignored = ::read(wake_.get(), &count, sizeof count);
    worker_.take_completions(ready_);
    writer_.take_completions(ready_);
    return;
  }
  if (is_watch(token.kind)) {
    ready_.push_back({token, static_cast<int32_t>(event.events), true});
    return;
  }
  const Accepting::Listener* listener = accepting_.find(token);
  const int error = listener == nullptr ? 0 : accept_some(listener->fd, token, ready_);
  if (error == 0) return;
  // Out of descriptors or memory: end the accept; the engine pauses and arms it again.
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener->fd, nullptr);
  ready_.push_back({token, error, false});
  accepting_.forget(token);
}

size_t Epoll::wait(int timeout_ms, Completion* out, size_t capacity) {
  epoll_event events[kEventsPerWait];
  const int n = ::epoll_wait(epoll_.get(), events, kEventsPerWait, ready_.empty() ? timeout_ms : 0);
  for (int i = 0; i < n; i++) on_event(events[i]);
  const size_t count = ready_.size() < capacity ? ready_.size() : capacity;
  for (size_t i = 0; i < count; i++) out[i] = ready_[i];
  ready_.erase(ready_.begin(), ready_.begin() + static_cast<std::ptrdiff_t>(count));
  return count;
}

}  // namespace

std::unique_ptr<Ring> open_epoll(std::string& detail) {
  auto ring = std::make_unique<Epoll>();
  if (!ring->initialise(detail)) return nullptr;
  return ring;
}

}  // namespace spliced::ring
