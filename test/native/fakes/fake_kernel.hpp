// SPDX-License-Identifier: Apache-2.0
// The link-time replacement of os/socket_io.cpp, os/closer.cpp and files/open_beneath.cpp. Sockets
// are simulated, under descriptor numbers that no process has and that are never used twice; files
// and pipes are real. A descriptor that is used after its close, or that never was, is a violation.
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
  Socket* use(int fd, const char* call);  // null after its close, which is a violation
  void close(int fd);
  size_t open_sockets() const;

  Residency residency = Residency::Resident;
  bool names_resident = true;  // RESOLVE_CACHED finds every directory entry
  // What is at the other end of every proxy route. The test plays it through the sockets.
  struct Backend {
    os::Moved connects;  // what connect() answers
    bool out_of_descriptors = false;
    std::vector<int> sockets;  // all that were made, the latest last
  };
  Backend backend;

  std::function<void(int fd, int events)> on_edge;
  std::function<void(int fd)> on_close;     // before it takes effect
  std::function<void(int fd)> on_handover;  // the product gave it to the closer
  bool hold_closes = false;                 // the closer has not come to it yet
  Violations violations;

 private:
  std::map<int, std::unique_ptr<Socket>> sockets_;
  int next_ = kFirstSocket;
};

// The one of the present test; fakes have no object that the product could carry to them.
Kernel& kernel();
void new_kernel();

}  // namespace spliced::fakes
