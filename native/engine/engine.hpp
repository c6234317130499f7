// SPDX-License-Identifier: Apache-2.0
// One engine: a thread with its ring, its connections and everything that is touched on the way of
// a request. What it shares with the other engines belongs to the Service (service.hpp), which
// makes it, tells it what is new by its mailbox, and outlives it.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/counter.hpp"
#include "conn/services.hpp"
#include "engine/options.hpp"
#include "os/closer.hpp"
#include "os/thread.hpp"
#include "ring/ring.hpp"
#include "tls/context.hpp"

namespace spliced::engine {

class Service;

class Engine {
 public:
  // `index`: among those that serve, 0 and up; `id`: never given twice.
  Engine(Service& service, size_t index, uint32_t id);
  ~Engine() { SPLICED_ASSERT(close(0)); }

  size_t index() const { return index_; }
  uint32_t id() const { return id_; }

  // Once. False when the process may have no more threads.
  bool start();
  // Graceful stop; called again with less time, it shortens the wait. Any thread.
  void stop_by(uint64_t at_ms);
  // Idempotent: gives up what is left and joins the threads, each within `wait_ms`. True: no event
  // is sent any more. False: a thread hangs in the kernel (or has much to do), and the engine must
  // live on: it is to be leaked.
  [[nodiscard]] bool close(uint32_t wait_ms);
  // os/thread.hpp has the letters. Any thread.
  char thread_state() const { return thread_.state(); }
  // Turns that the loop has made: none while there is nothing to do. Any thread, without a lock.
  uint64_t heartbeat() const { return heartbeat_.get(); }
  // Its stop is over, and the loop turns no more. Likewise.
  bool has_ended() const { return has_ended_.load(std::memory_order_relaxed); }
  const conn::Figures& figures() const { return figures_; }  // any thread
  conn::Occupancy::Share& share() { return *share_; }
  // Empty until the ring is open.
  const char* backend() const { return backend_.load(std::memory_order_acquire); }
  const std::string& ring_detail() const { return ring_detail_; }  // once there is a backend

  // What the service asks for; the latest wins, so there is no queue to bound, but for the sockets.
  struct Mailbox {
    std::optional<uint64_t> stop_by_ms;
    std::shared_ptr<const tls::ContextGeneration> generation;
    std::shared_ptr<const http::PathPrefixes> certificate_required;  // of `generation`
    std::shared_ptr<const conn::Site> site;
    files::FilePtr canary_file;
    std::optional<conn::Canary> canary;  // port and in_kernel alone
    std::optional<std::vector<std::shared_ptr<upload::Ticket>>> uploads;
    std::optional<bool> offload_suspended;
    bool signatures = false;              // something is in the inbox for them
    std::vector<conn::Arrival> arrivals;  // at most limits::kHandedMax
  };
  // Changes the mail and asks for a turn: an idle engine waits in its ring. Any thread; returns at
  // once.
  void post(const std::function<void(Mailbox&)>& change);
  // A socket for this engine to admit. False: it is ending, or has too many on their way. Any
  // thread.
  bool hand_over(const conn::Arrival& arrival);
  // Another engine is in its place: takes back what was handed over and not looked at, and what it
  // accepts from now on goes to that one.
  std::vector<conn::Arrival> retire();
  const os::Closer& closer() const { return closer_; }
  const std::shared_ptr<conn::Occupancy::Share>& account() const { return share_; }

 private:
  struct Accepting {
    bool armed = false;     // the ring holds an accept
    bool ended = false;     // the listener is no longer used
    uint64_t rearm_ms = 0;  // 0: none is due
  };

  void run();
  void serve(ring::Ring& ring, conn::Services& s);
  void begin_turn(conn::Services& s);
  void take_mail(conn::Services& s);
  void begin_stop(conn::Services& s);
  void on_accept(conn::Services& s, const ring::Completion& completion);
  void take_in(conn::Services& s, int socket);
  bool pass_on(const conn::Arrival& arrival, const os::ClientKey& client);
  void arm(ring::Ring& ring, size_t index);
  void end_listening(size_t index);
  void refuse_waiting(size_t index);
  void rearm_due(conn::Services& s);
  int timeout_ms(const conn::Services& s) const;
  bool finished(const conn::Services& s);
  bool takes_no_more();
  std::vector<conn::Arrival> end_arrivals();

  Service& service_;
  const size_t index_;
  const uint32_t id_;
  conn::Figures figures_;
  os::Closer closer_;
  const std::shared_ptr<conn::Occupancy::Share> share_;
  os::Fd spare_ = os::spare_descriptor();  // given up for a moment when there are no others
  std::vector<Accepting> accepting_;       // by the listener's index
  base::Counter heartbeat_;
  std::atomic<const char*> backend_{""};
  std::string ring_detail_;  // written before backend_ is set

  std::mutex mailbox_mutex_;
  Mailbox mailbox_;
  bool takes_arrivals_ = true;  // guarded by mailbox_mutex_
  ring::Ring* ring_ = nullptr;  // to wake; null while the thread does not run; likewise guarded
  std::atomic<bool> replaced_{false};
  std::atomic<bool> has_ended_{false};

  // Of the stop, on the engine's thread.
  std::optional<uint64_t> stop_by_ms_;
  uint64_t stop_began_ms_ = 0;
  uint64_t wall_due_ms_ = 0;  // when the wall clock is looked at again
  uint64_t drained_before_ = 0, aborted_before_ = 0;
  bool aborts_ = false;  // the deadline is over: nobody stays, nor does who comes now

  os::Thread thread_;
};

}  // namespace spliced::engine
