// SPDX-License-Identifier: Apache-2.0
// See engine.hpp. Here: the functions for other threads. loop.cpp has the loop.
#include "engine/engine.hpp"

#include <utility>

#include "base/clock.hpp"
#include "engine/service.hpp"

namespace spliced::engine {

using Lock = std::lock_guard<std::mutex>;

Engine::Engine(Service& service, size_t index, uint32_t id)
    : service_(service),
      index_(index),
      id_(id),
      share_(std::make_shared<conn::Occupancy::Share>()),
      accepting_(service.listeners().size()) {}

bool Engine::start() {
  if (!closer_.start()) return false;
  service_.listeners().use();
  const std::string name = "spliced-engine" + std::to_string(index_);
  if (thread_.start(name.c_str(), [this] { run(); })) return true;
  for (size_t i = 0; i < accepting_.size(); i++) service_.listeners().leave(i);
  (void)closer_.stop(limits::kCloseWaitMs);  // its queue is empty
  return false;
}

void Engine::post(const std::function<void(Mailbox&)>& change) {
  Lock lock(mailbox_mutex_);
  change(mailbox_);
  if (ring_ != nullptr) ring_->wake();
}

bool Engine::hand_over(const conn::Arrival& arrival) {
  Lock lock(mailbox_mutex_);
  if (!takes_arrivals_ || mailbox_.arrivals.size() >= limits::kHandedMax) return false;
  mailbox_.arrivals.push_back(arrival);
  if (ring_ != nullptr) ring_->wake();
  return true;
}

std::vector<conn::Arrival> Engine::retire() {
  replaced_.store(true, std::memory_order_relaxed);
  return end_arrivals();
}

std::vector<conn::Arrival> Engine::end_arrivals() {
  Lock lock(mailbox_mutex_);
  takes_arrivals_ = false;
  return std::exchange(mailbox_.arrivals, {});
}

// After this nothing can be handed over.
bool Engine::takes_no_more() {
  Lock lock(mailbox_mutex_);
  if (!mailbox_.arrivals.empty()) return false;
  takes_arrivals_ = false;
  return true;
}

void Engine::stop_by(uint64_t at_ms) {
  post([&](Mailbox& mail) {
    if (!mail.stop_by_ms || at_ms < *mail.stop_by_ms) mail.stop_by_ms = at_ms;
  });
}

bool Engine::close(uint32_t wait_ms) {
  stop_by(0);
  const uint64_t until_ms = base::now_ms() + wait_ms;
  if (!thread_.join_within(wait_ms)) return false;
  for (const conn::Arrival& arrival : end_arrivals()) service_.turn_away(arrival);  // never served
  const uint64_t now_ms = base::now_ms();
  return closer_.stop(static_cast<uint32_t>(until_ms > now_ms ? until_ms - now_ms : 0));
}

}  // namespace spliced::engine
