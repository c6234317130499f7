// SPDX-License-Identifier: Apache-2.0
// A ring whose completions come when the test says so, in the order that it chooses. File
// operations are real, but are done only at their completion. Until then the path and the
// descriptors must stay as they were, which is checked. Socket events come from the fake kernel.
#pragma once
#include <sys/types.h>

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fakes/fake_kernel.hpp"
#include "ring/ring.hpp"

namespace spliced::fakes {

class FakeRing final : public ring::Ring {
 public:
  explicit FakeRing(Kernel& kernel);

  // ---- For the test. ----
  bool hold_file_operations = false;  // otherwise they complete at once, in order
  bool sends_at_once = false;         // as epoll; otherwise before the next completion is taken
  int interrupted_sends = 0;          // number of following sends that fail with EINTR
  bool drop_edges = false;            // as if edges came after the turn's wait
  bool hold_cancels = false;          // the last completion of a cancelled watch waits for release
  // Takes the next completion for the product. False: there is none.
  bool take(ring::Completion& out);
  size_t queued() const { return queue_.size() + unsent_.size(); }
  // Moves the completion at `index` before those queued ahead of it. It never overtakes another of
  // the same operation; the kernel does not allow that either.
  void promote_in_queue(size_t index);
  size_t held() const { return held_.size(); }
  ring::Kind held_kind(size_t index) const { return held_[index].token.kind; }
  void finish(size_t index = 0);                  // does the operation and completes it
  void fail(size_t index, int error);             // completes it with an error instead
  void finish_short(size_t index, size_t bytes);  // FillPipe, DrainPipe: moves only so much
  void release_cancels();
  void end_watch(int fd, int result);  // multishot poll may end by itself, with events or an error
  void inject(const ring::Completion& completion) { queue_.push_back(completion); }
  size_t outstanding() const { return active_.size(); }
  size_t accepts() const { return accepts_; }

  // ---- For the product. ----
  void accept(int listener, ring::Token token) override;
  void watch(int socket, ring::Token token) override;
  void cancel(int fd, ring::Token token) override;
  void open_file(int root, const char* path, ring::Token token) override;
  void fill_pipe(int file, uint64_t offset, int pipe_write_end, size_t bytes,
                 ring::Token token) override;
  void drain_pipe(int pipe_read_end, int file, uint64_t offset, size_t bytes,
                  ring::Token token) override;
  std::optional<int32_t> send(int socket, const char* data, size_t bytes,
                              ring::Token token) override;
  void submit_sends() override;
  size_t wait(int timeout_ms, ring::Completion* out, size_t capacity) override;
  void wake() override {}

 private:
  struct Descriptor {
    int fd = -1;
    dev_t device = 0;
    ino_t inode = 0;
  };
  struct Unsent {
    ring::Token token;
    int socket;
    const char* data;
    std::string data_then;
  };
  struct Operation {
    ring::Token token;
    int socket = -1;
    bool cancelled = false;
    const char* path = nullptr;
    std::string path_then;
    Descriptor file, pipe;
    uint64_t offset = 0;
    size_t bytes = 0;
  };

  void begin(Operation operation);
  void begin_move(int file, int pipe, uint64_t offset, size_t bytes, ring::Token token);
  bool ends_already(uint64_t key) const;
  void on_event(int fd, int events);
  void on_close(int fd);
  void complete(const Operation& operation, int32_t result, bool more);
  int32_t perform(const Operation& operation);
  Operation take_held(size_t index);
  Descriptor remember(int fd);
  void check_same(const Descriptor& descriptor, const char* what);

  Kernel& kernel_;
  std::map<uint64_t, Operation> active_;  // until the final completion was taken
  std::deque<ring::Completion> queue_;
  std::deque<Operation> held_;
  std::deque<Unsent> unsent_;
  std::vector<uint64_t> held_cancels_;
  size_t accepts_ = 0;
};

}  // namespace spliced::fakes
