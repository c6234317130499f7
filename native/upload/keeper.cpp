// SPDX-License-Identifier: Apache-2.0
// See keeper.hpp.
#include "upload/keeper.hpp"

#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/limits.hpp"
#include "os/socket_io.hpp"
#include "tls/sha256.hpp"

namespace spliced::upload {
namespace {

class Work {
 public:
  Work(std::shared_ptr<Ticket> ticket, Keeper::OnChange on_change)
      : ticket_(std::move(ticket)), on_change_(std::move(on_change)) {}

  void run() {
    for (;;) {
      const Ticket::Job job = ticket_->next_job();
      switch (job.kind) {
        case Ticket::Job::Kind::End:
          return;
        case Ticket::Job::Kind::Tell:
          on_change_();
          break;
        case Ticket::Job::Kind::Hash:
          hash(job);
          break;
        case Ticket::Job::Kind::Sync:
          sync(job.offset);
          break;
        case Ticket::Job::Kind::Finish:
          finish();
          break;
      }
    }
  }

 private:
  void hash(const Ticket::Job& job) {
    for (size_t done = 0; done < job.bytes;) {
      const size_t wanted = std::min(job.bytes - done, buffer_.size());
      const os::Moved got =
          os::read_file(ticket_->file(), job.offset + done, buffer_.data(), wanted);
      if (got.io != os::Io::Done) return ticket_->broke(got.io == os::Io::Failed ? got.error : EIO);
      if (!digest_.update(buffer_.data(), got.bytes)) return ticket_->broke(ENOMEM);
      done += got.bytes;
    }
    ticket_->hashed(job.bytes);
  }

  void sync(uint64_t offset) {
    if (::fdatasync(ticket_->file()) != 0) return ticket_->broke(errno);
    ticket_->synced(offset);
  }

  void finish() {
    std::string sha256 = digest_.finish();
    if (sha256.empty()) return ticket_->broke(ENOMEM);
    ticket_->finished(std::move(sha256));
  }

  std::shared_ptr<Ticket> ticket_;
  Keeper::OnChange on_change_;
  tls::Sha256 digest_;
  std::vector<char> buffer_ = std::vector<char>(limits::kUploadReadBytes);
};

}  // namespace

bool Keeper::start(std::shared_ptr<Ticket> ticket, OnChange on_change) {
  ticket_ = ticket;
  auto work = std::make_shared<Work>(std::move(ticket), std::move(on_change));
  return thread_.start("spliced-upload", [work] { work->run(); });
}

bool Keeper::close(uint32_t wait_ms) {
  if (ticket_) ticket_->close();
  return thread_.join_within(wait_ms);
}

}  // namespace spliced::upload
