// SPDX-License-Identifier: Apache-2.0
// One engine: a thread with its ring, its connections and everything that serving a request
// touches. What it shares with other engines belongs to the Service (service.hpp), which makes it,
// sends it changes through its mailbox, and outlives it.
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
  // `index`: its place among the engines that serve, from 0; `id`: never used twice.
  Engine(Service& service, size_t index, uint32_t id);
  ~Engine() { SPLICED_ASSERT(close(0)); }

  size_t index() const { return index_; }
  uint32_t id() const { return id_; }

  // To be called once. False: the process may have no more threads.
  bool start();
  // Graceful stop. A later call with less time shortens the wait. For any thread.
  void stop_by(uint64_t at_ms);
  // Aborts what is left and joins the threads, each within `wait_ms`. Idempotent. True: no more
  // events will be sent. False: a thread hangs in the kernel (or has much to do); then the engine
  // must not be destroyed, so the owner leaks it.
  [[nodiscard]] bool close(uint32_t wait_ms);
  // A letter of os/thread.hpp. For any thread.
  char thread_state() const { return thread_.state(); }
  // Turns that the loop has made; an idle loop makes none. For any thread, without a lock.
  uint64_t heartbeat() const { return heartbeat_.get(); }
  // The stop is over, and the loop has ended. For any thread, without a lock.
  bool has_ended() const { return has_ended_.load(std::memory_order_relaxed); }
  const conn::Figures& figures() const { return figures_; }  // for any thread
  conn::Occupancy::Share& share() { return *share_; }
  // Empty until the ring is open. For any thread.
  const char* backend() const { return backend_.load(std::memory_order_acquire); }
  // Valid once backend() is not empty.
  const std::string& ring_detail() const { return ring_detail_; }

  // Requests of the service. The latest of a kind replaces earlier ones, so there is no queue to
  // bound, except that of sockets.
  struct Mailbox {
    std::optional<uint64_t> stop_by_ms;
    std::shared_ptr<const tls::ContextGeneration> generation;
    std::shared_ptr<const http::PathPrefixes> certificate_required;  // of `generation`
    std::shared_ptr<const conn::Site> site;
    files::FilePtr canary_file;
    std::optional<conn::Canary> canary;  // only port and in_kernel
    std::optional<std::vector<std::shared_ptr<upload::Ticket>>> uploads;
    std::optional<bool> offload_suspended;
    bool signatures = false;              // the inbox of signatures has something
    std::vector<conn::Arrival> arrivals;  // at most limits::kHandedMax
  };
  // Changes the mailbox and wakes the engine, which may be waiting in its ring. For any thread;
  // returns at once.
  void post(const std::function<void(Mailbox&)>& change);
  // Gives this engine a socket to admit. False: it is ending, or has too many waiting. For any
  // thread.
  bool hand_over(const conn::Arrival& arrival);
  // Another engine replaces this one: returns the sockets that were handed over and not examined
  // yet. What this one accepts from now on goes to the other.
  std::vector<conn::Arrival> retire();
  const os::Closer& closer() const { return closer_; }
  const std::shared_ptr<conn::Occupancy::Share>& account() const { return share_; }

 private:
  struct Accepting {
    bool armed = false;     // the ring holds an accept
    bool ended = false;     // the listener is not used any more
    uint64_t rearm_ms = 0;  // when to arm it again; 0: no time is set
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
  os::Fd spare_ = os::spare_descriptor();  // closed for a moment when there are no others
  std::vector<Accepting> accepting_;       // by the listener's index
  base::Counter heartbeat_;
  std::atomic<const char*> backend_{""};
  std::string ring_detail_;  // set before backend_

  std::mutex mailbox_mutex_;
  Mailbox mailbox_;
  bool takes_arrivals_ = true;  // guarded by mailbox_mutex_
  // To wake it; null while the thread does not run; guarded by mailbox_mutex_.
  ring::Ring* ring_ = nullptr;
  std::atomic<bool> replaced_{false};
  std::atomic<bool> has_ended_{false};

  // State of the stop, for the engine's thread.
  std::optional<uint64_t> stop_by_ms_;
  uint64_t stop_began_ms_ = 0;
  uint64_t wall_due_ms_ = 0;  // when to read the wall clock again
  uint64_t drained_before_ = 0, aborted_before_ = 0;
  bool aborts_ = false;  // the deadline has passed: all connections are aborted, new ones too

  os::Thread thread_;
};

}  // namespace spliced::engine
