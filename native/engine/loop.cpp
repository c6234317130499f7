// SPDX-License-Identifier: Apache-2.0
// The engine's thread: waits on the ring, hands completions to conn/, accepts, and stops.
#include <errno.h>

#include <algorithm>

#include "base/clock.hpp"
#include "conn/dispatch.hpp"
#include "engine/engine.hpp"
#include "os/fd.hpp"

namespace spliced::engine {
namespace {

constexpr size_t kCompletionsPerTurn = 256;

int sooner(int a_ms, int b_ms) {
  if (a_ms < 0) return b_ms;
  if (b_ms < 0) return a_ms;
  return a_ms < b_ms ? a_ms : b_ms;
}

int until(uint64_t at_ms, uint64_t now_ms) {
  constexpr uint64_t kMost = 60'000;
  return at_ms <= now_ms ? 0 : static_cast<int>(std::min(at_ms - now_ms, kMost));
}

}  // namespace

void Engine::run() {
  ring::Opened opened = ring::open_ring(options_.ring);
  if (!opened.ring) {
    Event event;
    event.type = Event::Type::Failed;
    event.reason = opened.detail;
    return on_event_(std::move(event));
  }
  ring_detail_ = opened.detail;
  backend_.store(opened.backend, std::memory_order_release);
  conn::Services s(options_.connections, *opened.ring, closer_, figures_, kernel_);
  s.connection_log = &connection_log_;
  s.refusal_log = &refusal_log_;
  s.status_json = [this] { return status_json(); };
  begin_turn(s);
  conn::prepare_slots(s);
  {
    std::lock_guard<std::mutex> lock(mailbox_.mutex);
    mailbox_.ring = opened.ring.get();
  }
  Event started;
  started.type = Event::Type::Started;
  started.backend = opened.backend;
  started.reason = opened.detail;
  on_event_(std::move(started));
  serve(*opened.ring, s);
  {
    std::lock_guard<std::mutex> lock(mailbox_.mutex);
    mailbox_.ring = nullptr;
  }
  Event stopped;
  stopped.type = Event::Type::Stopped;
  stopped.drained = figures_.drained.get() - drained_before_;
  stopped.aborted = figures_.aborted.get() - aborted_before_;
  stopped.duration_ms = base::now_ms() - stop_began_ms_;
  on_event_(std::move(stopped));
}

void Engine::serve(ring::Ring& ring, conn::Services& s) {
  for (size_t i = 0; i < listeners_.size(); i++) arm(ring, i);
  ring::Completion completions[kCompletionsPerTurn];
  take_mail(s);
  while (!finished(s)) {
    const size_t count = ring.wait(timeout_ms(s), completions, kCompletionsPerTurn);
    heartbeat_.add();
    begin_turn(s);
    take_mail(s);
    for (const auto& directory : s.site->directories) directory->files.begin_turn();
    for (size_t i = 0; i < count; i++) {
      if (completions[i].token.kind == ring::Kind::Accept) {
        on_accept(s, completions[i]);
      } else {
        conn::on_completion(s, completions[i]);
      }
    }
    conn::run_ready(s);
    conn::run_ticks(s);
    conn::run_deadlines(s);
    rearm_due(s);
    if (stop_by_ms_ && s.now_ms >= *stop_by_ms_ && !aborted_all_) {
      aborted_all_ = true;
      conn::abort_all(s);
    }
  }
}

void Engine::begin_turn(conn::Services& s) {
  s.turn++;
  s.now_ms = base::now_ms();
  if (s.now_ms < wall_due_ms_) return;
  s.wall_s = base::wall_s();
  wall_due_ms_ = s.now_ms + limits::kWallClockMs;
}

void Engine::take_mail(conn::Services& s) {
  std::optional<uint64_t> stop_by_ms;
  {
    std::lock_guard<std::mutex> lock(mailbox_.mutex);
    stop_by_ms = mailbox_.stop_by_ms;
    if (mailbox_.generation) {
      s.generation = std::move(mailbox_.generation);
      s.certificate_required = std::move(mailbox_.certificate_required);
    }
    if (mailbox_.site) s.site = std::move(mailbox_.site);
    if (mailbox_.canary_file) s.canary.file = std::move(mailbox_.canary_file);
    if (mailbox_.canary) {
      s.canary.port = mailbox_.canary->port;
      s.canary.in_kernel = mailbox_.canary->in_kernel;
      mailbox_.canary.reset();
    }
    if (mailbox_.uploads) s.uploads = std::move(*mailbox_.uploads);
    mailbox_.uploads.reset();
    s.offload_suspended = mailbox_.offload_suspended;
  }
  if (!stop_by_ms) return;
  const bool first = !stop_by_ms_;
  stop_by_ms_ = stop_by_ms;
  if (first) begin_stop(s);
}

void Engine::begin_stop(conn::Services& s) {
  stop_began_ms_ = s.now_ms;
  drained_before_ = figures_.drained.get();
  aborted_before_ = figures_.aborted.get();
  for (size_t i = 0; i < listeners_.size(); i++) {
    ListenerState& state = listeners_[i];
    state.rearm_ms = 0;
    if (state.accepting) {
      s.ring.cancel(state.listener.fd.get(), {ring::Kind::Accept, static_cast<uint32_t>(i), 0});
    } else {
      end_listening(i);
    }
  }
  conn::begin_stop(s);
}

// With the duplicate: a port that is no longer served refuses.
void Engine::end_listening(size_t index) {
  listeners_[index].listener.fd.reset();
  std::lock_guard<std::mutex> lock(mailbox_.mutex);
  retirable_[index].reset();
}

void Engine::arm(ring::Ring& ring, size_t index) {
  ListenerState& state = listeners_[index];
  state.accepting = true;
  state.rearm_ms = 0;
  ring.accept(state.listener.fd.get(), {ring::Kind::Accept, static_cast<uint32_t>(index), 0});
}

void Engine::on_accept(conn::Services& s, const ring::Completion& completion) {
  ListenerState& state = listeners_[completion.token.slot];
  if (completion.result >= 0) conn::admit(s, completion.result);
  if (completion.more) return;
  state.accepting = false;
  if (s.stopping) {
    end_listening(completion.token.slot);
  } else if (completion.result >= 0 || completion.result == -EAGAIN) {
    arm(s.ring, completion.token.slot);
  } else {
    // Out of descriptors or memory (accept(2)): what is open goes on, and who is idle makes room.
    // If nobody is, those who wait learn it now, and by the one descriptor that is kept for that.
    figures_.accept_pauses.add();
    if (!conn::make_room(s)) refuse_waiting(state);
    state.rearm_ms = s.now_ms + limits::kAcceptPauseMs;
  }
}

void Engine::refuse_waiting(const ListenerState& state) {
  spare_.reset();
  const size_t refused = os::refuse_waiting(state.listener.fd.get(), limits::kRefusalsPerPause);
  spare_ = os::spare_descriptor();
  figures_.accepted.add(refused);
  figures_.shed.add(refused);
  figures_.shed_by[static_cast<size_t>(conn::Shed::Descriptors)].add(refused);
}

void Engine::rearm_due(conn::Services& s) {
  for (size_t i = 0; i < listeners_.size(); i++)
    if (listeners_[i].rearm_ms != 0 && listeners_[i].rearm_ms <= s.now_ms) arm(s.ring, i);
}

int Engine::timeout_ms(const conn::Services& s) const {
  int timeout = conn::next_timeout_ms(s);
  for (const ListenerState& state : listeners_)
    if (state.rearm_ms != 0) timeout = sooner(timeout, until(state.rearm_ms, s.now_ms));
  if (stop_by_ms_ && !aborted_all_) timeout = sooner(timeout, until(*stop_by_ms_, s.now_ms));
  return timeout;
}

bool Engine::finished(const conn::Services& s) const {
  if (!stop_by_ms_ || s.free_slots.size() != s.slots.size() || !s.upstreams.all_free())
    return false;
  for (const ListenerState& state : listeners_)
    if (state.accepting) return false;
  return true;
}

}  // namespace spliced::engine
