// SPDX-License-Identifier: Apache-2.0
// The thread of one upload: hashes what has been written (from the page cache, right behind the
// writer; after a restart all that was there before), and syncs it. So neither the engine's thread
// nor Node's waits for the disk or the digest.
#pragma once
#include <functional>
#include <memory>

#include "os/thread.hpp"
#include "upload/ticket.hpp"

namespace spliced::upload {

class Keeper {
 public:
  using OnChange = std::function<void()>;  // the snapshot has news; called on the keeper's thread

  // False: no thread to be had.
  [[nodiscard]] bool start(std::shared_ptr<Ticket> ticket, OnChange on_change);
  // True: the thread has ended, and `on_change` is called no more. False: it waits for the disk,
  // and `on_change` with all that it uses must live on.
  [[nodiscard]] bool close(uint32_t wait_ms);

 private:
  std::shared_ptr<Ticket> ticket_;
  os::Thread thread_;
};

}  // namespace spliced::upload
