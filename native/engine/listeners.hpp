// SPDX-License-Identifier: Apache-2.0
// The listening sockets of a service. All engines accept on the same ones. The last engine that
// stops accepting from one closes it.
#pragma once
#include <mutex>
#include <string>
#include <vector>

#include "os/fd.hpp"
#include "os/listener.hpp"

namespace spliced::engine {

class Listeners {
 public:
  // To be called once, first. False, with one sentence in `error`: an address cannot be bound.
  bool open(const std::vector<os::ListenAddress>& wanted, std::string& error, int& system_error);

  std::vector<os::ListenAddress> bound() const;
  size_t size() const { return entries_.size(); }
  int fd(size_t index) const { return entries_[index].listener.fd.get(); }  // valid while in use

  void use();                // one more engine accepts from all of them
  void leave(size_t index);  // an engine accepts from this one no more; for any thread
  // Stops all listening: in a process that wants to end, threads that hang keep the sockets open,
  // and so the ports in use.
  void retire();

 private:
  struct Entry {
    os::Listener listener;
    os::Fd duplicate;  // for retire(); open as long as the listener
    size_t users = 0;
  };

  mutable std::mutex mutex_;  // guards `duplicate` and `users`
  std::vector<Entry> entries_;
};

}  // namespace spliced::engine
