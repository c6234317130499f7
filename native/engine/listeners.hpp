// SPDX-License-Identifier: Apache-2.0
// The listening sockets of a service. All engines accept on the same ones; the last engine that
// accepts no more from one closes it.
#pragma once
#include <mutex>
#include <string>
#include <vector>

#include "os/fd.hpp"
#include "os/listener.hpp"

namespace spliced::engine {

class Listeners {
 public:
  // Once, before all else. False, with one sentence in `error`: an address cannot be listened on.
  bool open(const std::vector<os::ListenAddress>& wanted, std::string& error, int& system_error);

  std::vector<os::ListenAddress> bound() const;
  size_t size() const { return entries_.size(); }
  int fd(size_t index) const { return entries_[index].listener.fd.get(); }  // for who uses it

  void use();                // one more engine, of all of them
  void leave(size_t index);  // an engine that accepts from this one no more; any thread
  // Ends what listens: the threads that hang keep the sockets, and so the ports, of a process that
  // wants to end.
  void retire();

 private:
  struct Entry {
    os::Listener listener;
    os::Fd duplicate;  // for retire(), as long as the listener
    size_t users = 0;
  };

  mutable std::mutex mutex_;  // of `duplicate` and `users`
  std::vector<Entry> entries_;
};

}  // namespace spliced::engine
