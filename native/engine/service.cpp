// SPDX-License-Identifier: Apache-2.0
// See service.hpp. status.cpp has the content of the status.
#include "engine/service.hpp"

#include <algorithm>
#include <utility>

#include "base/clock.hpp"
#include "h2/session.hpp"

namespace spliced::engine {

using Lock = std::lock_guard<std::mutex>;

Service::Service(const Options& options)
    : options_(options),
      tickets_(base::now_ms()),
      occupancy_(options.connections, options.engines),
      started_ms_(base::now_ms()) {}

std::unique_ptr<Service> Service::create(const Options& options, Failure& failure) {
  SPLICED_ASSERT(options.engines >= 1 && options.engines <= limits::kEnginesMax);
  std::unique_ptr<Service> service(new Service(options));
  if (!service->replace_site(options.site, failure)) return nullptr;
  std::string error;
  tls::ContextGeneration::Trust trust;
  if (!read_trust(options.client_certificates, trust, failure)) return nullptr;
  service->settings_.generation = tls::ContextGeneration::build(
      options.certificates, std::move(trust), service->tickets_, error, options.tls_groups,
      service->offers_http2());
  if (!service->settings_.generation) {
    failure = {"ECERTIFICATE", error};
    return nullptr;
  }
  service->settings_.certificate_required = options.client_certificates.required;
  int system_error = 0;
  if (!service->listeners_.open(options.listeners, error, system_error)) {
    failure = {"ELISTEN", error, system_error};
    return nullptr;
  }
  service->kernel_ = tls::probe_kernel();
  for (size_t i = 0; i < options.engines; i++) {
    service->engines_.push_back(service->make_engine(i));
    const Engine& made = *service->engines_.back();
    service->occupancy_.take_part(i, made.account(), made.closer());
  }
  return service;
}

bool Service::offers_http2() const {
  return options_.http2 && *h2::unavailable_because() == '\0';
}

// Makes an engine with all present settings.
std::unique_ptr<Engine> Service::make_engine(size_t index) {
  auto engine = std::make_unique<Engine>(*this, index, next_id_++);
  engine->post([this](Engine::Mailbox& mail) {
    mail.generation = settings_.generation;
    mail.certificate_required = settings_.certificate_required;
    mail.site = settings_.site;
    mail.canary_file = settings_.canary_file;
    mail.uploads = settings_.uploads;
    mail.offload_suspended = settings_.offload_suspended;
  });
  return engine;
}

bool Service::start(OnEvent on_event, Failure& failure) {
  on_event_ = std::move(on_event);
  for (const auto& engine : engines_) {
    if (engine->start()) continue;
    failure = {"ETHREAD", "cannot start a thread: raise TasksMax or RLIMIT_NPROC"};
    return false;
  }
  return true;
}

void Service::post_all(const std::function<void(Engine::Mailbox&)>& change) {
  for (const auto& engine : engines_) engine->post(change);
}

bool Service::replace_certificates(const std::vector<tls::CertificatePem>& pems, Failure& failure) {
  std::string error;
  auto generation = tls::ContextGeneration::build(pems, settings_.generation->trust(), tickets_,
                                                  error, options_.tls_groups, offers_http2());
  if (!generation) {
    failure = {"ECERTIFICATE", error};
    return false;
  }
  settings_.generation = std::move(generation);
  post_generation();
  return true;
}

bool Service::replace_client_certificates(const ClientCertificates& clients, Failure& failure) {
  tls::ContextGeneration::Trust trust;
  if (!read_trust(clients, trust, failure)) return false;
  std::string error;
  auto generation = settings_.generation->with_trust(std::move(trust), tickets_, error);
  if (!generation) {
    failure = {"ECLIENTCERTIFICATES", error};
    return false;
  }
  settings_.generation = std::move(generation);
  settings_.certificate_required = clients.required;
  post_generation();
  return true;
}

// Both in one message, so that no request is judged by the paths of one and the trust of another.
void Service::post_generation() {
  post_all([this](Engine::Mailbox& mail) {
    mail.generation = settings_.generation;
    mail.certificate_required = settings_.certificate_required;
  });
}

bool Service::replace_site(const SiteOptions& options, Failure& failure) {
  std::shared_ptr<const conn::Site> site = build_site(options, failure);
  if (!site) return false;
  settings_.site = std::move(site);
  post_all([this](Engine::Mailbox& mail) { mail.site = settings_.site; });
  return true;
}

void Service::ping(size_t index) {
  engine(index).post([](Engine::Mailbox&) {});
}

void Service::suspend_offload(bool suspended, std::string reason) {
  {
    Lock lock(shown_mutex_);
    shown_.suspended_because = suspended ? std::move(reason) : "";
  }
  settings_.offload_suspended = suspended;
  post_all([&](Engine::Mailbox& mail) { mail.offload_suspended = suspended; });
}

bool Service::set_canary(std::string_view body) {
  files::FilePtr file = files::memory_file(body);
  if (!file) return false;
  settings_.canary_file = std::move(file);
  post_all([this](Engine::Mailbox& mail) { mail.canary_file = settings_.canary_file; });
  return true;
}

void Service::expect_canary(size_t index, uint16_t port, bool in_kernel) {
  Engine& to = engine(index);
  // The message goes first, because a socket that is handed over comes after it.
  to.post([&](Engine::Mailbox& mail) {
    mail.canary.emplace();
    mail.canary->port = port;
    mail.canary->in_kernel = in_kernel;
  });
  to.share().canary_port.store(port, std::memory_order_relaxed);
}

void Service::set_uploads(std::vector<std::shared_ptr<upload::Ticket>> uploads) {
  SPLICED_ASSERT(uploads.size() <= limits::kUploadsMax);
  settings_.uploads = std::move(uploads);
  post_all([this](Engine::Mailbox& mail) { mail.uploads = settings_.uploads; });
}

bool Service::annotate(const std::string& name, std::string json) {
  if (name.size() + json.size() > limits::kAnnotationBytesMax) return false;
  Lock lock(shown_mutex_);
  auto& annotations = shown_.annotations;
  const auto former = annotations.find(name);
  if (former == annotations.end() && annotations.size() >= limits::kAnnotationsMax) return false;
  size_t bytes = name.size() + json.size();
  for (auto other = annotations.begin(); other != annotations.end(); ++other)
    if (other != former) bytes += other->first.size() + other->second.size();
  if (bytes > limits::kAnnotationsBytesMax) return false;
  annotations[name] = std::move(json);
  return true;
}

Service::Shown Service::shown() const {
  Lock lock(shown_mutex_);
  return shown_;
}

bool Service::hand_over(size_t index, const conn::Arrival& arrival) {
  Lock lock(engines_mutex_);
  return engines_[index]->hand_over(arrival);
}

void Service::turn_away(const conn::Arrival& arrival) {
  os::close_fd(arrival.socket);
  if (arrival.account) occupancy_.socket_gone(*arrival.account);
}

bool Service::replace_engine(size_t index, Failure& failure) {
  if (stop_.begun) {  // a new engine would not know of the stop
    failure = {"ESTOPPED", "the service stops"};
    return false;
  }
  std::unique_ptr<Engine> next = make_engine(index);
  Engine& started = *next;
  if (!started.start()) {
    failure = {"ETHREAD", "cannot start a thread: raise TasksMax or RLIMIT_NPROC"};
    return false;
  }
  Engine& former = *engines_[index];
  {
    Lock lock(engines_mutex_);
    replaced_.push_back(std::exchange(engines_[index], std::move(next)));
    replacements_++;
  }
  occupancy_.take_part(index, started.account(), started.closer());
  former.stop_by(base::now_ms() + options_.connections.drain_timeout_ms);
  for (const conn::Arrival& arrival : former.retire())
    if (!started.hand_over({arrival.socket, 0, arrival.account})) turn_away(arrival);
  return true;
}

void Service::free_engine(uint32_t id) {
  std::unique_ptr<Engine> freed;
  {
    Lock lock(engines_mutex_);
    const auto found = std::find_if(replaced_.begin(), replaced_.end(),
                                    [&](const auto& e) { return e->id() == id; });
    if (found == replaced_.end()) return;
    past_.add(found->get()->figures());
    freed = std::move(*found);
    replaced_.erase(found);
  }
  // Its own thread has sent its last event; the closer's may still hang in a socket.
  if (!freed->close(limits::kCloseWaitMs)) (void)freed.release();
}

void Service::on_event(const Engine& engine, Event event) {
  Lock lock(events_mutex_);
  switch (event.type) {
    case Event::Type::Started:
      if (++started_ == options_.engines) on_event_(std::move(event));
      return;
    case Event::Type::Stopped: {
      const bool begun = stop_.begun;
      event.engine = engine.id();
      stop_.ended[engine.id()] = event;
      if (begun) return tell_stopped();
      event.type = Event::Type::Released;
      return on_event_(std::move(event));
    }
    case Event::Type::Failed:
      stop_.ended[engine.id()] = {};  // the stop does not wait for it
      on_event_(std::move(event));
      if (stop_.begun) tell_stopped();
      return;
    case Event::Type::Released:  // only made above
      return;
  }
}

// Sends one event for all engines when the last has ended. To be called under events_mutex_.
void Service::tell_stopped() {
  Event total;
  total.type = Event::Type::Stopped;
  bool all = !stop_.told;
  {
    Lock lock(engines_mutex_);
    for_each_engine([&](const Engine& engine) {
      const auto found = stop_.ended.find(engine.id());
      all = all && found != stop_.ended.end();
      if (!all) return;
      total.drained += found->second.drained;
      total.aborted += found->second.aborted;
      total.duration_ms = std::max(total.duration_ms, found->second.duration_ms);
    });
  }
  if (!all) return;
  stop_.told = true;
  on_event_(std::move(total));
}

void Service::stop(uint32_t timeout_ms) {
  const uint64_t by_ms = base::now_ms() + timeout_ms;
  {
    Lock lock(events_mutex_);
    stop_.begun = true;
  }
  for_each_engine([&](Engine& engine) { engine.stop_by(by_ms); });
  Lock lock(events_mutex_);
  if (on_event_) tell_stopped();  // engines that were released before count too
}

void Service::conclude_stop() {
  Lock lock(events_mutex_);
  bool all_hang = true;
  std::map<uint32_t, Event> hanging;
  for_each_engine([&](const Engine& engine) {
    if (stop_.ended.count(engine.id()) != 0) return;
    all_hang = all_hang && engine.thread_state() == 'D';
    hanging[engine.id()].aborted = engine.figures().open.get();
  });
  if (!stop_.begun || stop_.told || !all_hang || hanging.empty()) return;
  for (const auto& entry : hanging) stop_.left_behind.insert(entry.first);
  stop_.ended.insert(hanging.begin(), hanging.end());
  tell_stopped();
}

bool Service::close(uint32_t wait_ms) {
  if (on_event_) stop(0);
  bool joined = true;
  const uint64_t until_ms = base::now_ms() + wait_ms;
  for_each_engine([&](Engine& engine) {
    bool gone;
    {
      // Without the first condition an engine that only waits for its disk or for memory would
      // count as hanging.
      Lock lock(events_mutex_);
      gone = stop_.left_behind.count(engine.id()) != 0 && engine.thread_state() == 'D';
    }
    const uint64_t now_ms = base::now_ms();
    const bool waits = !gone && until_ms > now_ms;
    joined = engine.close(waits ? static_cast<uint32_t>(until_ms - now_ms) : 0) && joined;
  });
  const uint64_t now_ms = base::now_ms();
  const uint64_t left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
  signatures_.stop(static_cast<uint32_t>(std::min<uint64_t>(left_ms, limits::kSigningStopMs)));
  return joined;
}

}  // namespace spliced::engine
