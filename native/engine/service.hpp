// SPDX-License-Identifier: Apache-2.0
// The service: what all engines share, and the engines. Shared is what never changes (options,
// contexts, the site), what has a lock of its own that no request waits for (ticket keys, places,
// logs), and the listening sockets. Made, told and closed by seam/ on the Node thread.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/assert.hpp"
#include "conn/connection_log.hpp"
#include "conn/incident_log.hpp"
#include "conn/occupancy.hpp"
#include "conn/refusal_log.hpp"
#include "engine/engine.hpp"
#include "engine/listeners.hpp"
#include "engine/options.hpp"
#include "tls/probe.hpp"
#include "tls/signing.hpp"
#include "tls/ticket_keys.hpp"

namespace spliced::engine {

class Service {
 public:
  using OnEvent = std::function<void(Event)>;  // called on an engine's thread, one at a time

  // Null, with `failure` filled, when the root, an address or a certificate cannot be used.
  static std::unique_ptr<Service> create(const Options& options, Failure& failure);
  ~Service() { SPLICED_ASSERT(close(0)); }

  // ---- For the Node thread. ----

  // Once. False, with ETHREAD, when the process may have no more threads.
  bool start(OnEvent on_event, Failure& failure);
  // A new generation for the connections to come; false leaves everything as it was.
  bool replace_certificates(const std::vector<tls::CertificatePem>& pems, Failure& failure);
  // Likewise; the certificates stay. A request on an open connection is judged by the new paths.
  bool replace_client_certificates(const ClientCertificates& clients, Failure& failure);
  // Other routes for the requests to come; false leaves those that are.
  bool replace_site(const SiteOptions& site, Failure& failure);
  const std::string& root() const { return options_.site.root; }
  // From the next turn new connections stay in user space (Fallback::Suspended), or again go to the
  // kernel if the configuration lets them. `reason` is shown in the status.
  void suspend_offload(bool suspended, std::string reason);
  // The body at /.spliced/canary, for the one connection that is expected from this host's `port`
  // (0: none is) by the engine with this index. `in_kernel`: it tries the kernel's cipher,
  // suspended or not. False when there is no memory for the body.
  bool set_canary(std::string_view body);
  void expect_canary(size_t index, uint16_t port, bool in_kernel);
  // From the next turn these uploads are taken, at most limits::kUploadsMax; no others.
  void set_uploads(std::vector<std::shared_ptr<upload::Ticket>> uploads);
  // One more member of the status: `json` is an object of at most limits::kAnnotationBytesMax
  // bytes. False when that, or what there may be of all together, is exceeded.
  bool annotate(const std::string& name, std::string json);

  // Those that serve.
  size_t engines() const { return engines_.size(); }
  Engine& engine(size_t index) { return *engines_[index]; }
  size_t replaced() const { return replaced_.size(); }  // that have not ended
  // Asks an engine for a turn.
  void ping(size_t index);
  // Another engine in the place of this one, whose thread hangs: it keeps its connections, and ends
  // when it comes back (Event::Released). False, and nothing changed, without a thread (ETHREAD),
  // or when the service stops (ESTOPPED).
  bool replace_engine(size_t index, Failure& failure);
  // Frees an engine that was released. Its figures stay in the sums.
  void free_engine(uint32_t id);

  // Graceful stop of all; called again with less time, it shortens the wait.
  void stop(uint32_t timeout_ms);
  // After the deadline: if every engine that has not ended hangs in the kernel, the stop is over
  // without them, and Event::Stopped counts their connections as aborted.
  void conclude_stop();
  // Idempotent: gives up what is left and joins all threads, within `wait_ms` in all. True: no
  // event is sent any more. False: a thread hangs in the kernel (or has much to do), and the
  // service must live on: it is to be leaked.
  [[nodiscard]] bool close(uint32_t wait_ms);

  // ---- For any thread. ----
  Listeners& listeners() { return listeners_; }
  conn::Occupancy& occupancy() { return occupancy_; }
  conn::ConnectionLog& connection_log() { return connection_log_; }
  conn::RefusalLog& refusal_log() { return refusal_log_; }
  tls::SigningPool& signatures() { return signatures_; }
  conn::IncidentLog& incident_log() { return incident_log_; }
  const Options& options() const { return options_; }
  const tls::KernelSupport& kernel() const { return kernel_; }
  std::string status_json() const;

  // ---- For the engines. ----
  void on_event(const Engine& engine, Event event);
  // False: that engine takes no more.
  bool hand_over(size_t index, const conn::Arrival& arrival);
  // Closes a socket that no engine takes.
  void turn_away(const conn::Arrival& arrival);

 private:
  bool offers_http2() const;
  explicit Service(const Options& options);

  // What the status shows and the Node thread writes.
  struct Shown {
    std::string suspended_because;
    std::map<std::string, std::string> annotations;  // JSON texts by name
  };

  // What is in force: every engine is told, and one that comes later begins with it.
  struct Settings {
    std::shared_ptr<const tls::ContextGeneration> generation;
    std::shared_ptr<const http::PathPrefixes> certificate_required;
    std::shared_ptr<const conn::Site> site;
    files::FilePtr canary_file;
    std::vector<std::shared_ptr<upload::Ticket>> uploads;
    bool offload_suspended = false;
  };

  struct Stop {
    bool begun = false, told = false;
    std::map<uint32_t, Event> ended;  // by the engine's id
    std::set<uint32_t> left_behind;   // of them, those that hang: close() does not wait for them
  };

  std::unique_ptr<Engine> make_engine(size_t index);
  void post_generation();
  void post_all(const std::function<void(Engine::Mailbox&)>& change);
  void tell_stopped();
  Shown shown() const;
  // The engines, those that serve first. Guarded by engines_mutex_ when not on the Node thread.
  template <class Function>
  void for_each_engine(Function&& function) const {
    for (const auto& engine : engines_) function(*engine);
    for (const auto& engine : replaced_) function(*engine);
  }

  const Options options_;
  tls::KernelSupport kernel_;
  tls::TicketKeys tickets_;
  Settings settings_;  // Node thread
  Listeners listeners_;
  conn::Occupancy occupancy_;
  conn::ConnectionLog connection_log_;
  conn::RefusalLog refusal_log_;
  tls::SigningPool signatures_;
  conn::IncidentLog incident_log_;
  OnEvent on_event_;
  const uint64_t started_ms_;
  uint32_t next_id_ = 0;
  uint32_t replacements_ = 0;  // ever

  mutable std::mutex shown_mutex_;  // held for copies alone
  Shown shown_;

  std::mutex events_mutex_;  // held while on_event_ is called
  size_t started_ = 0;
  Stop stop_;

  // Held while the lists change and by other threads that read them: for sums, and to hand over.
  mutable std::mutex engines_mutex_;
  conn::Figures past_;                             // of engines that are freed
  std::vector<std::unique_ptr<Engine>> engines_;   // by index
  std::vector<std::unique_ptr<Engine>> replaced_;  // whose threads have not come back, or not been
                                                   // freed yet
};

}  // namespace spliced::engine
