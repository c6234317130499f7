// SPDX-License-Identifier: Apache-2.0
// See fake_ring.hpp.
#include "fakes/fake_ring.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "files/open_beneath.hpp"
#include "os/socket_io.hpp"

namespace spliced::fakes {

using ring::Completion;
using ring::Kind;
using ring::Token;

namespace {

int32_t result_of(const os::Moved& moved) {
  if (moved.io == os::Io::WouldBlock) return -EAGAIN;
  return moved.io == os::Io::Done ? static_cast<int32_t>(moved.bytes) : -moved.error;
}

}  // namespace

FakeRing::FakeRing(Kernel& kernel) : kernel_(kernel) {
  kernel_.on_edge = [this](int fd, int events) { on_event(fd, events); };
  kernel_.on_close = [this](int fd) { on_close(fd); };
}

FakeRing::Descriptor FakeRing::remember(int fd) {
  struct stat s {};
  if (::fstat(fd, &s) != 0) kernel_.violations.add("an operation was submitted on a closed file");
  return {fd, s.st_dev, s.st_ino};
}

void FakeRing::check_same(const Descriptor& descriptor, const char* what) {
  struct stat s {};
  if (::fstat(descriptor.fd, &s) != 0 || s.st_dev != descriptor.device ||
      s.st_ino != descriptor.inode)
    kernel_.violations.add(std::string(what) + " was closed while the ring had it");
}

void FakeRing::begin(Operation operation) {
  const uint64_t key = operation.token.pack();
  if (active_.count(key) != 0)
    kernel_.violations.add("an operation was submitted twice under one token");
  active_[key] = operation;
  const bool file = operation.token.kind == Kind::OpenFile ||
                    operation.token.kind == Kind::FillPipe ||
                    operation.token.kind == Kind::DrainPipe;
  if (!file) return;
  held_.push_back(operation);
  if (!hold_file_operations) finish(held_.size() - 1);
}

void FakeRing::complete(const Operation& operation, int32_t result, bool more) {
  queue_.push_back({operation.token, result, more});
}

void FakeRing::accept(int listener, Token token) {
  Operation operation;
  operation.token = token;
  operation.socket = listener;
  accepts_++;
  begin(operation);
}

void FakeRing::watch(int socket, Token token) {
  Operation operation;
  operation.token = token;
  operation.socket = socket;
  Socket* s = kernel_.use(socket, "watch");
  begin(operation);
  if (s != nullptr && s->readiness() != 0) complete(operation, s->readiness(), true);
}

void FakeRing::cancel(int fd, Token token) {
  const auto it = active_.find(token.pack());
  if (it == active_.end() || it->second.cancelled) {
    kernel_.violations.add("cancel of an operation that the ring does not have");
    return;
  }
  if (it->second.socket != fd)
    kernel_.violations.add("cancel under another operation's descriptor");
  it->second.cancelled = true;
  if (ends_already(token.pack())) return;  // nothing is left to cancel: ENOENT, and no second end
  if (hold_cancels) {
    held_cancels_.push_back(token.pack());
  } else {
    complete(it->second, -ECANCELED, false);
  }
}

void FakeRing::release_cancels() {
  for (uint64_t key : held_cancels_) complete(active_.at(key), -ECANCELED, false);
  held_cancels_.clear();
}

void FakeRing::open_file(int root, const char* path, Token token) {
  Operation operation;
  operation.token = token;
  operation.file = remember(root);
  operation.path = path;
  operation.path_then = path;
  begin(operation);
}

void FakeRing::fill_pipe(int file, uint64_t offset, int pipe_write_end, size_t bytes, Token token) {
  begin_move(file, pipe_write_end, offset, bytes, token);
}

void FakeRing::drain_pipe(int pipe_read_end, int file, uint64_t offset, size_t bytes, Token token) {
  begin_move(file, pipe_read_end, offset, bytes, token);
}

void FakeRing::begin_move(int file, int pipe, uint64_t offset, size_t bytes, Token token) {
  Operation operation;
  operation.token = token;
  operation.file = remember(file);
  operation.pipe = remember(pipe);
  operation.offset = offset;
  operation.bytes = bytes;
  begin(operation);
}

int32_t FakeRing::perform(const Operation& operation) {
  check_same(operation.file, "a file");
  if (operation.token.kind == Kind::OpenFile) {
    if (operation.path_then != operation.path)  // freed memory: AddressSanitizer says so
      kernel_.violations.add("a path changed while the ring had it");
    return files::open_beneath(operation.file.fd, operation.path, files::Lookup::MayBlock);
  }
  check_same(operation.pipe, "a pipe");
  loff_t at = static_cast<loff_t>(operation.offset);
  if (operation.token.kind == Kind::DrainPipe) {
    const ssize_t written = ::splice(operation.pipe.fd, nullptr, operation.file.fd, &at,
                                     operation.bytes, SPLICE_F_NONBLOCK);
    return written < 0 ? -errno : static_cast<int32_t>(written);
  }
  const ssize_t moved = ::splice(operation.file.fd, &at, operation.pipe.fd, nullptr,
                                 operation.bytes, SPLICE_F_NONBLOCK);
  return moved < 0 ? -errno : static_cast<int32_t>(moved);
}

FakeRing::Operation FakeRing::take_held(size_t index) {
  const Operation operation = held_.at(index);
  held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(index));
  return operation;
}

void FakeRing::finish(size_t index) {
  const Operation operation = take_held(index);
  complete(operation, perform(operation), false);
}

void FakeRing::finish_short(size_t index, size_t bytes) {
  Operation operation = take_held(index);
  operation.bytes = std::min(operation.bytes, bytes);
  complete(operation, perform(operation), false);
}

void FakeRing::fail(size_t index, int error) {
  complete(take_held(index), -error, false);
}

bool FakeRing::ends_already(uint64_t key) const {
  return std::any_of(queue_.begin(), queue_.end(), [&](const Completion& waiting) {
    return waiting.token.pack() == key && !waiting.more;
  });
}

void FakeRing::end_watch(int fd, int result) {
  for (const auto& [key, operation] : active_) {
    if (operation.socket != fd || operation.cancelled || !ring::is_watch(operation.token.kind))
      continue;
    if (!ends_already(key)) complete(operation, result, false);
    return;
  }
}

void FakeRing::on_event(int fd, int events) {
  if (drop_edges) return;
  for (const auto& [key, operation] : active_) {
    if (operation.socket != fd || operation.cancelled || !ring::is_watch(operation.token.kind))
      continue;
    for (Completion& waiting : queue_) {
      if (waiting.token.pack() != key) continue;
      if (!waiting.more) return;  // it ends; what is ready is told to the watch that follows
      waiting.result |= events;
      return;
    }
    complete(operation, events, true);
  }
}

void FakeRing::on_close(int fd) {
  for (const auto& [key, operation] : active_) {
    if (operation.socket == fd)
      kernel_.violations.add("a socket was closed while the ring had an operation on it");
  }
}

void FakeRing::promote_in_queue(size_t index) {
  submit_sends();
  const uint64_t key = queue_.at(index).token.pack();
  for (size_t i = 0; i < index; i++)
    if (queue_[i].token.pack() == key) index = i;
  const Completion chosen = queue_[index];
  queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(index));
  queue_.push_front(chosen);
}

std::optional<int32_t> FakeRing::send(int socket, const char* data, size_t bytes, Token token) {
  if (sends_at_once) return result_of(os::send_bytes(socket, data, bytes, /*more=*/false));
  Operation operation;
  operation.token = token;
  operation.socket = socket;
  begin(operation);
  unsent_.push_back({token, socket, data, std::string(data, bytes)});
  return std::nullopt;
}

// The kernel reads the memory only now, and may take less than it was given.
void FakeRing::submit_sends() {
  for (const Unsent& send : unsent_) {
    if (send.data_then.compare(0, std::string::npos, send.data, send.data_then.size()) != 0)
      kernel_.violations.add("what the ring shall send was changed");
    if (interrupted_sends > 0) {
      interrupted_sends--;
      queue_.push_back({send.token, -EINTR, false});
      continue;
    }
    const int32_t result =
        result_of(os::send_bytes(send.socket, send.data, send.data_then.size(), /*more=*/false));
    queue_.push_back({send.token, result, false});
  }
  unsent_.clear();
}

bool FakeRing::take(Completion& out) {
  submit_sends();
  if (queue_.empty()) return false;
  out = queue_.front();
  queue_.pop_front();
  if (!out.more) active_.erase(out.token.pack());
  return true;
}

size_t FakeRing::wait(int, Completion*, size_t) {
  kernel_.violations.add("conn/ waited on the ring by itself");
  return 0;
}

}  // namespace spliced::fakes
