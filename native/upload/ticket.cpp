// SPDX-License-Identifier: Apache-2.0
// See ticket.hpp.
#include "upload/ticket.hpp"

#include <errno.h>

#include <algorithm>
#include <chrono>

#include "base/assert.hpp"
#include "base/clock.hpp"
#include "base/limits.hpp"

namespace spliced::upload {

using Lock = std::unique_lock<std::mutex>;

Ticket::Ticket(std::string id, os::Fd file, uint64_t length, uint64_t offset)
    : id_(std::move(id)), file_(std::move(file)), length_(length), synced_ms_(base::now_ms()) {
  SPLICED_ASSERT(offset <= length);
  state_.offset = state_.durable = told_offset_ = offset;
}

bool Ticket::has_id(std::string_view id) const {
  if (id.size() != id_.size()) return false;
  unsigned char differs = 0;
  for (size_t i = 0; i < id.size(); i++)
    differs = static_cast<unsigned char>(differs | (id[i] ^ id_[i]));
  return differs == 0;
}

Snapshot Ticket::snapshot() const {
  Lock lock(mutex_);
  return state_;
}

uint64_t Ticket::claim(uint64_t now_ms) {
  Lock lock(mutex_);
  const bool quiet = now_ms >= active_ms_ + limits::kUploadQuietMs;
  if (closed_ || writing_ || (state_.receiving && !quiet)) return 0;
  state_.receiving = true;
  if (!state_.broken) state_.error = 0;
  active_ms_ = now_ms;
  news_ = true;
  changed_.notify_all();
  return ++claims_;
}

uint64_t Ticket::offset() const {
  Lock lock(mutex_);
  return state_.offset;
}

bool Ticket::begin_write(uint64_t claim, uint64_t now_ms) {
  Lock lock(mutex_);
  if (claim != claims_ || closed_ || state_.broken) return false;
  SPLICED_ASSERT(!writing_);
  writing_ = true;
  active_ms_ = now_ms;
  return true;
}

void Ticket::end_write(uint64_t claim, int64_t result) {
  Lock lock(mutex_);
  SPLICED_ASSERT(writing_ && claim == claims_);                // a claim is not lost during a write
  const bool nothing_to_tell = state_.offset == told_offset_;  // the keeper waits without a limit
  writing_ = false;
  if (result > 0) {
    state_.offset += static_cast<uint64_t>(result);
    SPLICED_ASSERT(state_.offset <= length_);
  } else if (!state_.broken) {
    state_.error = result < 0 ? static_cast<int>(-result) : EIO;
    news_ = true;
  }
  if (news_ || nothing_to_tell || hash_is_due()) changed_.notify_all();
}

void Ticket::release(uint64_t claim, bool whole) {
  Lock lock(mutex_);
  if (claim != claims_ || !state_.receiving) return;  // once
  state_.receiving = false;
  state_.part_ended = whole;
  sync_wanted_ = news_ = true;
  changed_.notify_all();
}

std::optional<Outcome> Ticket::outcome() const {
  Lock lock(mutex_);
  return outcome_;
}

void Ticket::conclude(Outcome outcome) {
  Lock lock(mutex_);
  outcome_ = std::move(outcome);
}

void Ticket::sync_now() {
  Lock lock(mutex_);
  sync_wanted_ = true;
  changed_.notify_all();
}

void Ticket::close() {
  Lock lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

bool Ticket::sync_is_due(uint64_t now_ms) const {
  const uint64_t unsynced = state_.offset - state_.durable;
  if (unsynced == 0) return false;
  return sync_wanted_ || state_.offset == length_ || unsynced >= limits::kUploadSyncBytes ||
         now_ms - synced_ms_ >= limits::kUploadSyncMs;
}

// A small step costs as many wake-ups and calls as a large one, so the digest waits for a large one
// while more is to come.
bool Ticket::hash_is_due() const {
  const uint64_t behind = state_.offset - state_.hashed;
  if (behind == 0) return false;
  return behind >= limits::kUploadHashBytes || !state_.receiving || state_.offset == length_;
}

Ticket::Job Ticket::next_job() {
  Lock lock(mutex_);
  for (;;) {
    if (closed_) return {};
    const uint64_t now_ms = base::now_ms();
    const bool grown = state_.offset != told_offset_;
    if (news_ || (grown && now_ms - told_ms_ >= limits::kUploadTellMs)) {
      news_ = false;
      told_offset_ = state_.offset;
      told_ms_ = now_ms;
      return {Job::Kind::Tell, 0, 0};
    }
    if (!state_.broken) {
      if (sync_is_due(now_ms)) return {Job::Kind::Sync, state_.offset, 0};
      if (hash_is_due())
        return {Job::Kind::Hash, state_.hashed,
                static_cast<size_t>(
                    std::min<uint64_t>(state_.offset - state_.hashed, limits::kUploadHashBytes))};
      if (state_.offset == length_ && state_.sha256.empty()) return {Job::Kind::Finish, 0, 0};
    }
    sync_wanted_ = false;
    if (grown) {
      changed_.wait_for(lock, std::chrono::milliseconds(limits::kUploadTellMs));
    } else if (!state_.broken && state_.offset != state_.durable) {
      changed_.wait_for(lock, std::chrono::milliseconds(limits::kUploadSyncMs));
    } else {
      changed_.wait(lock);
    }
  }
}

void Ticket::hashed(size_t bytes) {
  Lock lock(mutex_);
  state_.hashed += bytes;
}

void Ticket::synced(uint64_t offset) {
  Lock lock(mutex_);
  state_.durable = offset;
  news_ = true;
  synced_ms_ = base::now_ms();
}

void Ticket::finished(std::string sha256) {
  Lock lock(mutex_);
  state_.sha256 = std::move(sha256);
  news_ = true;
}

void Ticket::broke(int error) {
  Lock lock(mutex_);
  state_.broken = news_ = true;
  state_.error = error;
}

}  // namespace spliced::upload
