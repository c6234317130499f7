// SPDX-License-Identifier: Apache-2.0
// Slots with stable addresses, because the kernel points into them. They are allocated a block at a
// time, when needed. The table knows which slots are free, not what is in them. `T` has a member
// `slot`, its own number. For one thread.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/assert.hpp"

namespace spliced::base {

template <class T>
class SlotTable {
 public:
  static constexpr size_t kBlockSlots = 32;

  explicit SlotTable(size_t most) : most_(most) { blocks_.reserve(most / kBlockSlots + 1); }
  SlotTable(const SlotTable&) = delete;
  SlotTable& operator=(const SlotTable&) = delete;

  size_t size() const { return made_; }  // made so far; every slot's number is below
  size_t used() const { return made_ - free_.size(); }
  bool has_room() const { return !free_.empty() || made_ < most_; }
  bool all_free() const { return free_.size() == made_; }

  T& operator[](size_t slot) { return blocks_[slot / kBlockSlots][slot % kBlockSlots]; }
  const T& operator[](size_t slot) const { return blocks_[slot / kBlockSlots][slot % kBlockSlots]; }

  // Takes a free slot. The caller has asked has_room().
  T& take() {
    SPLICED_ASSERT(has_room());
    if (free_.empty()) make_block();
    const uint32_t slot = free_.back();
    free_.pop_back();
    return (*this)[slot];
  }
  void give(T& slot) { free_.push_back(slot.slot); }

  template <class Table, class Slot>
  struct Iterator {
    Table* table;
    size_t slot;
    Slot& operator*() const { return (*table)[slot]; }
    Iterator& operator++() {
      slot++;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return slot != other.slot; }
  };
  Iterator<SlotTable, T> begin() { return {this, 0}; }
  Iterator<SlotTable, T> end() { return {this, made_}; }
  Iterator<const SlotTable, const T> begin() const { return {this, 0}; }
  Iterator<const SlotTable, const T> end() const { return {this, made_}; }

 private:
  void make_block() {
    const size_t count = std::min(kBlockSlots, most_ - made_);
    blocks_.push_back(std::make_unique<T[]>(kBlockSlots));
    for (size_t i = count; i-- > 0;) {
      blocks_.back()[i].slot = static_cast<uint32_t>(made_ + i);
      free_.push_back(static_cast<uint32_t>(made_ + i));
    }
    made_ += count;
  }

  const size_t most_;
  size_t made_ = 0;
  std::vector<std::unique_ptr<T[]>> blocks_;
  std::vector<uint32_t> free_;  // used from the end
};

}  // namespace spliced::base
