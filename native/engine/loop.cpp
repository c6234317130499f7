// SPDX-License-Identifier: Apache-2.0
// The engine's thread: waits in the ring, passes completions to conn/, accepts, and stops.
#include <errno.h>

#include <algorithm>
#include <utility>

#include "base/clock.hpp"
#include "conn/dispatch.hpp"
#include "engine/service.hpp"
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
  ring::Opened opened = ring::open_ring(service_.options().ring);
  if (!opened.ring) {
    Event event;
    event.type = Event::Type::Failed;
    event.reason = opened.detail;
    for (const conn::Arrival& arrival : end_arrivals()) service_.turn_away(arrival);
    return service_.on_event(*this, std::move(event));
  }
  ring_detail_ = opened.detail;
  backend_.store(opened.backend, std::memory_order_release);
  conn::Services s(service_.options().connections, *opened.ring, closer_, figures_,
                   service_.kernel(), service_.occupancy(), *share_);
  s.connection_log = &service_.connection_log();
  s.refusal_log = &service_.refusal_log();
  s.incident_log = &service_.incident_log();
  s.status_json = [this] { return service_.status_json(); };
  if (service_.options().engines > 1)
    s.pass_on = [this](const conn::Arrival& arrival, const os::ClientKey& client) {
      return pass_on(arrival, client);
    };
  s.signatures = &service_.signatures();
  s.signed_inbox->on_arrival([this] { post([](Mailbox& mail) { mail.signatures = true; }); });
  begin_turn(s);
  {
    std::lock_guard<std::mutex> lock(mailbox_mutex_);
    ring_ = opened.ring.get();
  }
  Event started;
  started.type = Event::Type::Started;
  started.backend = opened.backend;
  started.reason = opened.detail;
  service_.on_event(*this, std::move(started));
  serve(*opened.ring, s);
  s.signed_inbox->on_arrival({});
  {
    std::lock_guard<std::mutex> lock(mailbox_mutex_);
    ring_ = nullptr;
  }
  has_ended_.store(true, std::memory_order_relaxed);
  Event stopped;
  stopped.type = Event::Type::Stopped;
  stopped.drained = figures_.drained.get() - drained_before_;
  stopped.aborted = figures_.aborted.get() - aborted_before_;
  stopped.duration_ms = base::now_ms() - stop_began_ms_;
  service_.on_event(*this, std::move(stopped));
}

void Engine::serve(ring::Ring& ring, conn::Services& s) {
  for (size_t i = 0; i < accepting_.size(); i++) arm(ring, i);
  ring::Completion completions[kCompletionsPerTurn];
  take_mail(s);
  while (!finished(s)) {
    share_->busy_since_ms.store(0, std::memory_order_relaxed);
    const size_t count = ring.wait(timeout_ms(s), completions, kCompletionsPerTurn);
    heartbeat_.add();
    begin_turn(s);
    share_->busy_since_ms.store(s.now_ms, std::memory_order_relaxed);
    take_mail(s);
    for (const auto& files : s.site->files) files->begin_turn();
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
    if (stop_by_ms_ && s.now_ms >= *stop_by_ms_) {
      aborts_ = true;
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
  Mailbox mail;
  {
    std::lock_guard<std::mutex> lock(mailbox_mutex_);
    std::swap(mail, mailbox_);
  }
  if (mail.generation) {
    s.generation = std::move(mail.generation);
    s.certificate_required = std::move(mail.certificate_required);
  }
  if (mail.site) s.site = std::make_shared<conn::OpenSite>(std::move(mail.site), figures_.files);
  if (mail.canary_file) s.canary.file = std::move(mail.canary_file);
  if (mail.canary) {
    s.canary.port = mail.canary->port;
    s.canary.in_kernel = mail.canary->in_kernel;
  }
  if (mail.uploads) s.uploads = std::move(*mail.uploads);
  if (mail.offload_suspended) s.offload_suspended = *mail.offload_suspended;
  if (mail.signatures) conn::take_signatures(s);
  for (const conn::Arrival& arrival : mail.arrivals) conn::admit(s, arrival);
  if (!mail.stop_by_ms) return;
  const bool first = !stop_by_ms_;
  if (first || *mail.stop_by_ms < *stop_by_ms_) stop_by_ms_ = mail.stop_by_ms;
  if (first) begin_stop(s);
}

void Engine::begin_stop(conn::Services& s) {
  stop_began_ms_ = s.now_ms;
  drained_before_ = figures_.drained.get();
  aborted_before_ = figures_.aborted.get();
  for (size_t i = 0; i < accepting_.size(); i++) {
    Accepting& state = accepting_[i];
    state.rearm_ms = 0;
    if (state.armed) {
      s.ring.cancel(service_.listeners().fd(i), {ring::Kind::Accept, static_cast<uint32_t>(i), 0});
    } else {
      end_listening(i);
    }
  }
  conn::begin_stop(s);
}

void Engine::end_listening(size_t index) {
  if (std::exchange(accepting_[index].ended, true)) return;
  service_.listeners().leave(index);
}

void Engine::arm(ring::Ring& ring, size_t index) {
  Accepting& state = accepting_[index];
  state.armed = true;
  state.rearm_ms = 0;
  ring.accept(service_.listeners().fd(index),
              {ring::Kind::Accept, static_cast<uint32_t>(index), 0});
}

void Engine::on_accept(conn::Services& s, const ring::Completion& completion) {
  const size_t index = completion.token.slot;
  if (completion.result >= 0) take_in(s, completion.result);
  if (completion.more) return;
  accepting_[index].armed = false;
  if (s.stopping) {
    end_listening(index);
  } else if (completion.result >= 0 || completion.result == -EAGAIN) {
    arm(s.ring, index);
  } else {
    // Out of descriptors or memory (accept(2)): open connections go on, and an idle one is closed
    // to make room. If none is idle, waiting clients are refused now, with the one descriptor that
    // is kept for that.
    figures_.accept_pauses.add();
    if (!conn::make_room(s)) refuse_waiting(index);
    accepting_[index].rearm_ms = s.now_ms + limits::kAcceptPauseMs;
  }
}

// Chooses the engine of a socket: the canary's is known, and every other goes to the engine with
// the fewest.
void Engine::take_in(conn::Services& s, int socket) {
  conn::Occupancy& occupancy = service_.occupancy();
  if (replaced_.load(std::memory_order_relaxed)) {
    if (!service_.hand_over(index_, {socket})) os::close_fd(socket);
    return;
  }
  auto [to, account] = occupancy.assign(index_, s.now_ms);
  const conn::Arrival arrival{socket, 0, std::move(account)};
  to = occupancy.canary_of([&](uint16_t port) { return os::peer_is_own_port(socket, port); })
           .value_or(to);
  if (to == index_ || !service_.hand_over(to, arrival)) conn::admit(s, arrival);
}

// Each engine is asked at most once.
bool Engine::pass_on(const conn::Arrival& arrival, const os::ClientKey& client) {
  if (arrival.refusals >= service_.options().engines) return false;
  const auto to = service_.occupancy().next_with_room(index_, client, base::now_ms());
  return to && service_.hand_over(*to, {arrival.socket, arrival.refusals, share_});
}

void Engine::refuse_waiting(size_t index) {
  spare_.reset();
  const size_t refused =
      os::refuse_waiting(service_.listeners().fd(index), limits::kRefusalsPerPause);
  spare_ = os::spare_descriptor();
  figures_.accepted.add(refused);
  figures_.shed.add(refused);
  figures_.shed_by[static_cast<size_t>(conn::Shed::Descriptors)].add(refused);
}

void Engine::rearm_due(conn::Services& s) {
  for (size_t i = 0; i < accepting_.size(); i++)
    if (accepting_[i].rearm_ms != 0 && accepting_[i].rearm_ms <= s.now_ms) arm(s.ring, i);
}

int Engine::timeout_ms(const conn::Services& s) const {
  int timeout = conn::next_timeout_ms(s);
  for (const Accepting& state : accepting_)
    if (state.rearm_ms != 0) timeout = sooner(timeout, until(state.rearm_ms, s.now_ms));
  if (stop_by_ms_ && !aborts_) timeout = sooner(timeout, until(*stop_by_ms_, s.now_ms));
  return timeout;
}

bool Engine::finished(const conn::Services& s) {
  if (!stop_by_ms_ || !s.slots.all_free() || !s.upstreams.slots.all_free()) return false;
  for (const Accepting& state : accepting_)
    if (state.armed) return false;
  return takes_no_more();
}

}  // namespace spliced::engine
