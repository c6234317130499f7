// SPDX-License-Identifier: Apache-2.0
// Pipes that carry pieces of files to sockets. A pipe returns to the pool empty or not at all.
#pragma once
#include <cstddef>
#include <vector>

#include "os/fd.hpp"

namespace spliced::os {

struct Pipe {
  Fd read_end, write_end;
  explicit operator bool() const { return static_cast<bool>(read_end); }
};

// One of its own, of `bytes` where the process may have such a large one (pipe(7),
// /proc/sys/fs/pipe-user-pages-soft); empty as with take().
Pipe open_pipe(size_t bytes);
// Places for pieces; what is written takes one a page.
unsigned places(const Pipe& pipe);

class PipePool {
 public:
  // An empty Pipe when the process is out of descriptors (EMFILE) or pipe pages.
  Pipe take();
  // `empty`: nothing is left in it; otherwise it is closed.
  void give(Pipe pipe, bool empty);

 private:
  std::vector<Pipe> kept_;
};

}  // namespace spliced::os
