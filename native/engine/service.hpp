// SPDX-License-Identifier: Apache-2.0
// The service: the engines, and what they share. Shared is what never changes (options, contexts,
// the site), what has a lock of its own that no request waits for (ticket keys, places, logs), and
// the listening sockets. seam/ makes, controls and closes it on the Node thread.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/assert.hpp"
#include "conn/accounts/connection_log.hpp"
#include "conn/accounts/incident_log.hpp"
#include "conn/accounts/occupancy.hpp"
#include "conn/accounts/refusal_log.hpp"
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

  // Null, with `failure`, if the root, an address or a certificate cannot be used.
  static std::unique_ptr<Service> create(const Options& options, Failure& failure);
  ~Service() { SPLICED_ASSERT(close(0)); }

  // ---- For the Node thread. ----

  // To be called once. False, with ETHREAD: the process may have no more threads.
  bool start(OnEvent on_event, Failure& failure);
  // Makes a new generation for later connections. False: nothing has changed.
  bool replace_certificates(const std::vector<tls::CertificatePem>& pems, Failure& failure);
  // Likewise, with the same certificates. The new paths apply to requests on open connections, too.
  bool replace_client_certificates(const ClientCertificates& clients, Failure& failure);
  // Sets the routes for later requests. False: the present ones stay.
  bool replace_site(const SiteOptions& site, Failure& failure);
  const std::string& root() const { return options_.site.root; }
  // From the next turn on new connections stay in user space (Fallback::Suspended), or go to the
  // kernel again if the configuration allows it. The status shows `reason`.
  void suspend_offload(bool suspended, std::string reason);
  // The body at /.spliced/canary, for the one connection that the engine with this index expects
  // from this host's `port` (0: none). `in_kernel`: it tries the kernel's cipher even while that is
  // suspended. False: no memory for the body.
  bool set_canary(std::string_view body);
  void expect_canary(size_t index, uint16_t port, bool in_kernel);
  // From the next turn on these uploads are accepted, and no others; at most limits::kUploadsMax.
  void set_uploads(std::vector<std::shared_ptr<upload::Ticket>> uploads);
  // Adds a member to the status: `json` is an object of at most limits::kAnnotationBytesMax bytes.
  // False: it is larger, or the bound of all together is exceeded.
  bool annotate(const std::string& name, std::string json);

  // Number of engines that serve.
  size_t engines() const { return engines_.size(); }
  Engine& engine(size_t index) { return *engines_[index]; }
  size_t replaced() const { return replaced_.size(); }  // that have not ended
  // Makes an engine run a turn.
  void ping(size_t index);
  // Replaces an engine whose thread hangs. The old one keeps its connections, and ends when its
  // thread returns (Event::Released). False, and nothing has changed: there is no thread (ETHREAD),
  // or the service is stopping (ESTOPPED).
  bool replace_engine(size_t index, Failure& failure);
  // Frees an engine after Event::Released. Its figures stay in the sums.
  void free_engine(uint32_t id);

  // Graceful stop of all engines. A later call with less time shortens the wait.
  void stop(uint32_t timeout_ms);
  // To be called after the deadline. If all engines that have not ended hang in the kernel, the
  // stop ends without them, and Event::Stopped counts their connections as aborted.
  void conclude_stop();
  // Aborts what is left and joins all threads, within `wait_ms` in all. Idempotent. True: no more
  // events will be sent. False: a thread hangs in the kernel (or has much to do); then the service
  // must not be destroyed, so the owner leaks it.
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
  // False: that engine accepts no more.
  bool hand_over(size_t index, const conn::Arrival& arrival);
  // Closes a socket that no engine accepts.
  void turn_away(const conn::Arrival& arrival);

 private:
  bool offers_http2() const;
  explicit Service(const Options& options);

  // Shown in the status, written by the Node thread.
  struct Shown {
    std::string suspended_because;
    std::map<std::string, std::string> annotations;  // JSON texts by name
  };

  // The present settings: every engine was told of them, and a later one begins with them.
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
    std::set<uint32_t> left_behind;   // of these, those that hang: close() does not wait for them
  };

  std::unique_ptr<Engine> make_engine(size_t index);
  void post_generation();
  void post_all(const std::function<void(Engine::Mailbox&)>& change);
  void tell_stopped();
  Shown shown() const;
  // The engines: first those that serve, then those that were replaced. Threads other than Node's
  // hold engines_mutex_.
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
  uint32_t replacements_ = 0;  // in all

  mutable std::mutex shown_mutex_;  // held only to copy
  Shown shown_;

  std::mutex events_mutex_;  // held while on_event_ is called
  size_t started_ = 0;
  Stop stop_;

  // Held while the lists change, and by other threads while they read them: for sums, and to hand
  // sockets over.
  mutable std::mutex engines_mutex_;
  conn::Figures past_;                            // of engines that are freed
  std::vector<std::unique_ptr<Engine>> engines_;  // by index
  // Their threads have not returned, or they are not freed yet.
  std::vector<std::unique_ptr<Engine>> replaced_;
};

}  // namespace spliced::engine
