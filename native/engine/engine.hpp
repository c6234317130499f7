// SPDX-License-Identifier: Apache-2.0
// One engine: listeners, one thread with its ring, its connections and their TLS. Created, started
// and stopped by seam/ on the Node thread; everything else happens on the engine's own.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/assert.hpp"
#include "conn/services.hpp"
#include "engine/client_certificates.hpp"
#include "engine/site.hpp"
#include "os/listener.hpp"
#include "tls/context.hpp"

namespace spliced::engine {

struct Options {
  SiteOptions site;
  std::vector<os::ListenAddress> listeners;
  std::vector<tls::CertificatePem> certificates;
  ClientCertificates client_certificates;
  ring::Backend ring = ring::Backend::Auto;
  conn::Options connections;
};

struct Event {
  enum class Type : uint8_t { Started, Stopped, Failed };
  Type type = Type::Failed;
  std::string backend;                                 // Started
  std::string reason;                                  // Started, Failed
  uint64_t drained = 0, aborted = 0, duration_ms = 0;  // Stopped
};

class Engine {
 public:
  using OnEvent = std::function<void(Event)>;  // called on the engine thread

  // Null, with `failure` filled, when the root, an address or a certificate cannot be used.
  static std::unique_ptr<Engine> create(const Options& options, Failure& failure);
  ~Engine() { SPLICED_ASSERT(close(0)); }

  std::vector<os::ListenAddress> listeners() const;
  // Duplicates of the listening sockets, for an engine in the place of this one; -1 where there is
  // no descriptor left. The caller's.
  std::vector<int> share_listeners() const;
  // Once. False, with ETHREAD, when the process may have no more threads.
  bool start(OnEvent on_event, Failure& failure);
  // A new generation for the connections to come; false leaves everything as it was.
  bool replace_certificates(const std::vector<tls::CertificatePem>& pems, Failure& failure);
  // Likewise; the certificates stay. A request on an open connection is judged by the new paths.
  bool replace_client_certificates(const ClientCertificates& clients, Failure& failure);
  // Other routes for the requests to come; false leaves those that are.
  bool replace_site(const SiteOptions& site, Failure& failure);
  const std::string& root() const { return options_.site.root; }
  // Graceful stop; called again with less time, it shortens the wait.
  void stop(uint32_t timeout_ms);
  // Idempotent: gives up what is left and joins the threads, each within `wait_ms`. True: no event
  // is sent any more. False: a thread hangs in the kernel (or has much to do), and the engine must
  // live on: it is to be leaked.
  [[nodiscard]] bool close(uint32_t wait_ms);
  // Ends what listens: the threads that hang keep the sockets, and so the ports, of a process that
  // wants to end.
  void retire_listeners();
  // Of the engine's thread; os/thread.hpp has the letters. Any thread.
  char thread_state() const { return thread_.state(); }
  std::string status_json() const;  // any thread

  // Turns that the loop has made. Any thread, without a lock.
  uint64_t heartbeat() const { return heartbeat_.get(); }
  // Asks for a turn: an idle engine waits in its ring. Any thread; returns at once.
  void ping();
  const conn::Figures& figures() const { return figures_; }  // any thread
  conn::ConnectionLog& connection_log() { return connection_log_; }
  conn::RefusalLog& refusal_log() { return refusal_log_; }

  // From the next turn new connections stay in user space (Fallback::Suspended), or again go to the
  // kernel if the configuration lets them. `reason` is shown in the status.
  void suspend_offload(bool suspended, std::string reason);
  // The body at /.spliced/canary, for the one connection that is expected from this host's `port`
  // (0: none is). `in_kernel`: that one tries the kernel's cipher, suspended or not. False when
  // there is no memory for the body.
  bool set_canary(std::string_view body);
  void expect_canary(uint16_t port, bool in_kernel);
  // From the next turn these uploads are taken, at most limits::kUploadsMax; no others.
  void set_uploads(std::vector<std::shared_ptr<upload::Ticket>> uploads);
  // One more member of the status: `json` is an object of at most limits::kAnnotationBytesMax
  // bytes. False when that, or what there may be of all together, is exceeded.
  bool annotate(const std::string& name, std::string json);

 private:
  explicit Engine(const Options& options);

  struct ListenerState {
    os::Listener listener;
    bool accepting = false;  // the ring holds an accept
    uint64_t rearm_ms = 0;   // 0: none is due
  };

  // What the Node thread asks for; the latest wins, so there is no queue to bound.
  struct Mailbox {
    std::mutex mutex;
    std::optional<uint64_t> stop_by_ms;
    std::shared_ptr<const tls::ContextGeneration> generation;
    std::shared_ptr<const http::PathPrefixes> certificate_required;  // of `generation`
    std::shared_ptr<conn::Site> site;
    files::FilePtr canary_file;
    std::optional<conn::Canary> canary;  // port and in_kernel alone
    std::optional<std::vector<std::shared_ptr<upload::Ticket>>> uploads;
    bool offload_suspended = false;
    ring::Ring* ring = nullptr;  // to wake; null while the thread does not run
  };

  // What the status shows and the Node thread writes.
  struct Shown {
    std::string suspended_because;
    std::map<std::string, std::string> annotations;  // JSON texts by name
  };

  Shown shown() const;
  void run();
  void serve(ring::Ring& ring, conn::Services& s);
  void begin_turn(conn::Services& s);
  void take_mail(conn::Services& s);
  void begin_stop(conn::Services& s);
  void on_accept(conn::Services& s, const ring::Completion& completion);
  void arm(ring::Ring& ring, size_t index);
  void end_listening(size_t index);
  void refuse_waiting(const ListenerState& state);
  void rearm_due(conn::Services& s);
  int timeout_ms(const conn::Services& s) const;
  bool finished(const conn::Services& s) const;
  void post_generation();
  void wake_with(const std::function<void(Mailbox&)>& change);

  const Options options_;
  tls::KernelSupport kernel_;
  tls::TicketKeys tickets_;
  conn::Figures figures_;
  // The newest, for the Node thread alone; the engine's own gets it by mail.
  std::shared_ptr<const tls::ContextGeneration> generation_;
  std::shared_ptr<const http::PathPrefixes> certificate_required_;
  std::vector<ListenerState> listeners_;
  // Duplicates, for retire_listeners(); each as long as its listener. Guarded by mailbox_.mutex.
  std::vector<os::Fd> retirable_;
  os::Closer closer_;
  os::Fd spare_ = os::spare_descriptor();  // given up for a moment when there are no others
  OnEvent on_event_;
  Mailbox mailbox_;
  base::Counter heartbeat_;
  conn::ConnectionLog connection_log_;
  conn::RefusalLog refusal_log_;
  mutable std::mutex shown_mutex_;  // held for copies alone
  Shown shown_;
  std::atomic<const char*> backend_{""};
  std::string ring_detail_;  // written before backend_ is set
  uint64_t started_ms_;

  // Of the stop, on the engine thread.
  std::optional<uint64_t> stop_by_ms_;
  uint64_t stop_began_ms_ = 0;
  uint64_t wall_due_ms_ = 0;  // when the wall clock is looked at again
  uint64_t drained_before_ = 0, aborted_before_ = 0;
  bool aborted_all_ = false;

  os::Thread thread_;
};

}  // namespace spliced::engine
