// SPDX-License-Identifier: Apache-2.0
// The thread of one upload. It hashes what has been written (from the page cache, a step behind the
// writer; after a restart everything from the file's beginning) and syncs it. So neither the
// engine's thread nor the Node thread waits for the disk or the digest.
#pragma once
#include <functional>
#include <memory>

#include "os/thread.hpp"
#include "upload/ticket.hpp"

namespace spliced::upload {

class Keeper {
 public:
  using OnChange = std::function<void()>;  // the snapshot has news; called on the keeper's thread

  // False: the process may have no more threads.
  [[nodiscard]] bool start(std::shared_ptr<Ticket> ticket, OnChange on_change);
  // True: the thread has ended, and `on_change` will not be called again. False: it waits for the
  // disk, and `on_change` with everything that it uses must live on.
  [[nodiscard]] bool close(uint32_t wait_ms);

 private:
  std::shared_ptr<Ticket> ticket_;
  os::Thread thread_;
};

}  // namespace spliced::upload
