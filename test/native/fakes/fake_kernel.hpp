// SPDX-License-Identifier: Apache-2.0
// Replaces os/socket_io.cpp, os/closer.cpp and files/open_beneath.cpp at link time. Sockets are
// simulated, under descriptor numbers that no process has and that are never used twice. Files and
// pipes are real. Using a descriptor after its close, or one that never existed, is a violation.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "fakes/fake_socket.hpp"
#include "fakes/violations.hpp"

namespace spliced::fakes {

class Kernel {
 public:
  enum class Residency : uint8_t {
    Resident,  // RWF_NOWAIT finds every page
    Cold,      // and none
    Unknown,   // EOPNOTSUPP: overlayfs, squashfs
    InMemory,  // EOPNOTSUPP: tmpfs
  };

  static constexpr int kFirstSocket = 1'000'000;

  int open_socket();
  Socket& at(int fd) { return *sockets_.at(fd); }
  Socket* use(int fd, const char* call);  // null, and a violation, after its close
  void close(int fd);
  size_t open_sockets() const;

  Residency residency = Residency::Resident;
  size_t frame_calls = 0;                // of framed_pages_to_pipe, those in vain included
  int maps_fail_with = 0;                // an errno: files cannot be mapped
  size_t pipes_take_at_most = SIZE_MAX;  // of the frames of one call
  bool names_resident = true;            // RESOLVE_CACHED finds every directory entry
  // The other end of every proxy route. The test plays it through the sockets.
  struct Backend {
    os::Moved connects;  // what connect() answers
    bool out_of_descriptors = false;
    std::vector<int> sockets;  // all that were opened, the latest last
  };
  Backend backend;

  std::function<void(int fd, int events)> on_edge;
  std::function<void(int fd)> on_close;     // before the close takes effect
  std::function<void(int fd)> on_handover;  // when the product passes it to the closer
  bool hold_closes = false;                 // the closer does not get to it
  Violations violations;

 private:
  std::map<int, std::unique_ptr<Socket>> sockets_;
  int next_ = kFirstSocket;
};

// The kernel of the present test. Global, because the product passes no object to the fakes.
Kernel& kernel();
void new_kernel();

}  // namespace spliced::fakes
