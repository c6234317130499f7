// SPDX-License-Identifier: Apache-2.0
// A bundle that the daemon lets a client upload: which part of it is there, which connection writes
// it, and how it ends. Shared by the daemon (seam/), the engines (one connection writes,
// conn/upload/upload.cpp) and the thread that hashes and syncs (keeper.hpp); each may call from
// its own thread. It outlives an engine that hangs: the engine that replaces it continues with the
// same ticket, and a write that the first one has under way keeps the second from writing at the
// same time.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "os/fd.hpp"

namespace spliced::upload {

// The client's answer once every byte has arrived.
struct Outcome {
  uint16_t status = 0;
  std::string text;
};

struct Snapshot {
  uint64_t offset = 0;   // bytes that are written
  uint64_t durable = 0;  // of these, bytes that fdatasync has confirmed
  uint64_t hashed = 0;
  std::string sha256;      // once everything is written, synced and hashed
  int error = 0;           // errno of the last failed write since the last claim; or see `broken`
  bool broken = false;     // a read or a sync failed: the content cannot be trusted
  bool receiving = false;  // a connection writes
  bool part_ended = false;  // the last request came completely: its client means to continue
};

class Ticket {
 public:
  // `id`: what the client must know (a capability: never to be logged). `file`: open for reading
  // and writing; it holds `offset` bytes of `length`, all of them synced. The ticket owns it.
  Ticket(std::string id, os::Fd file, uint64_t length, uint64_t offset);

  bool has_id(std::string_view id) const;  // in constant time
  int file() const { return file_.get(); }
  uint64_t length() const { return length_; }
  Snapshot snapshot() const;

  // ---- For the connection that writes. Times are base::now_ms(). ----
  // Returns a claim. 0: another connection writes, and has written something within
  // limits::kUploadQuietMs, or its write is under way. Otherwise the previous claim is lost.
  uint64_t claim(uint64_t now_ms);
  uint64_t offset() const;
  // To be called before each write. False: the claim is lost.
  bool begin_write(uint64_t claim, uint64_t now_ms);
  // The write has ended: bytes at offset(), or a negative errno.
  void end_write(uint64_t claim, int64_t result);
  // `whole`: every byte of the request is written; false: its connection ended before.
  void release(uint64_t claim, bool whole = false);
  std::optional<Outcome> outcome() const;

  // ---- For the daemon. ----
  void conclude(Outcome outcome);
  void sync_now();  // syncs what is written and not synced yet
  void close();     // ends the keeper's thread; further claims are refused

  // ---- For the keeper's thread. ----
  struct Job {
    enum class Kind : uint8_t { Tell, Hash, Sync, Finish, End } kind = Kind::End;
    uint64_t offset = 0;  // Hash: begin; Sync: so much is durable afterwards
    size_t bytes = 0;     // Hash
  };
  Job next_job();  // waits for one
  void hashed(size_t bytes);
  void synced(uint64_t offset);
  void finished(std::string sha256);
  void broke(int error);

 private:
  bool sync_is_due(uint64_t now_ms) const;
  bool hash_is_due() const;

  const std::string id_;
  const os::Fd file_;
  const uint64_t length_;

  mutable std::mutex mutex_;  // never held during a system call on the file
  std::condition_variable changed_;
  Snapshot state_;
  std::optional<Outcome> outcome_;
  uint64_t claims_ = 0;  // the last one is valid
  bool writing_ = false;
  bool sync_wanted_ = false;
  bool news_ = false;  // to be reported at once, not only with the progress
  uint64_t told_offset_ = 0, told_ms_ = 0;
  bool closed_ = false;
  uint64_t active_ms_ = 0;  // when the last write began
  uint64_t synced_ms_ = 0;
};

}  // namespace spliced::upload
