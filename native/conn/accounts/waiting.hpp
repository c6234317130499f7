// SPDX-License-Identifier: Apache-2.0
// The connections that wait for their peer (Handshake, ReadHead, ReadBody, AwaitStreams), the
// longest waiting first: a list linked through the slots. Only enter() changes it (dispatch.cpp).
// admission.cpp searches it for a connection to close.
#pragma once
#include <cstdint>

#include "base/slot_table.hpp"
#include "conn/connection.hpp"

namespace spliced::conn {

class WaitingList {
 public:
  static bool has(State state) {
    return state == State::Handshake || state == State::ReadHead || state == State::ReadBody ||
           state == State::AwaitStreams;
  }

  explicit WaitingList(base::SlotTable<Connection>& slots) : slots_(slots) {}

  void append(Connection& c) {
    c.place.waiting_before = last_;
    c.place.waiting_after = kNoSlot;
    (last_ == kNoSlot ? first_ : slots_[last_].place.waiting_after) = c.slot;
    last_ = c.slot;
    size_++;
  }
  void remove(Connection& c) {
    (c.place.waiting_before == kNoSlot ? first_
                                       : slots_[c.place.waiting_before].place.waiting_after) =
        c.place.waiting_after;
    (c.place.waiting_after == kNoSlot ? last_
                                      : slots_[c.place.waiting_after].place.waiting_before) =
        c.place.waiting_before;
    c.place.waiting_before = c.place.waiting_after = kNoSlot;
    size_--;
  }
  uint32_t size() const { return size_; }
  Connection* first() { return at(first_); }
  Connection* after(const Connection& c) { return at(c.place.waiting_after); }

 private:
  Connection* at(uint32_t slot) { return slot == kNoSlot ? nullptr : &slots_[slot]; }

  base::SlotTable<Connection>& slots_;
  uint32_t first_ = kNoSlot, last_ = kNoSlot, size_ = 0;
};

}  // namespace spliced::conn
