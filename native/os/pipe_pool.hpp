// SPDX-License-Identifier: Apache-2.0
// Pipes that carry pieces of files to sockets. Only an empty pipe returns to the pool.
#pragma once
#include <cstddef>
#include <vector>

#include "os/fd.hpp"

namespace spliced::os {

struct Pipe {
  Fd read_end, write_end;
  explicit operator bool() const { return static_cast<bool>(read_end); }
};

// A pipe outside the pool, of `bytes` if the process may have one so large (pipe(7),
// /proc/sys/fs/pipe-user-pages-soft). Empty on failure, as take().
Pipe open_pipe(size_t bytes);
// Its capacity in places; written data takes one place a page.
unsigned places(const Pipe& pipe);

class PipePool {
 public:
  // Of so many bytes, as with open_pipe(); 0: of the kernel's default.
  explicit PipePool(size_t bytes = 0) : bytes_(bytes) {}
  // An empty Pipe when the process is out of descriptors (EMFILE) or pipe pages.
  Pipe take();
  // Returns a pipe to the pool if it is `empty`; otherwise closes it.
  void give(Pipe pipe, bool empty);

 private:
  const size_t bytes_;
  std::vector<Pipe> kept_;
};

}  // namespace spliced::os
