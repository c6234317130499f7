// SPDX-License-Identifier: Apache-2.0
// See engine.hpp. Here: making an engine, and what other threads may call. The loop is loop.cpp.
#include "engine/engine.hpp"

#include <fcntl.h>

#include "base/clock.hpp"

namespace spliced::engine {
namespace {

os::Fd duplicate(int fd) {
  return os::Fd(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

}  // namespace

Engine::Engine(const Options& options)
    : options_(options), tickets_(base::now_ms()), started_ms_(base::now_ms()) {}

std::unique_ptr<Engine> Engine::create(const Options& options, Failure& failure) {
  std::unique_ptr<Engine> engine(new Engine(options));
  if (!engine->replace_site(options.site, failure)) return nullptr;
  std::string error;
  tls::ContextGeneration::Trust trust;
  if (!read_trust(options.client_certificates, trust, failure)) return nullptr;
  engine->generation_ = tls::ContextGeneration::build(options.certificates, std::move(trust),
                                                      engine->tickets_, error);
  if (!engine->generation_) {
    failure = {"ECERTIFICATE", error};
    return nullptr;
  }
  engine->certificate_required_ = options.client_certificates.required;
  engine->post_generation();
  for (const os::ListenAddress& wanted : options.listeners) {
    ListenerState state;
    if (!os::open_listener(wanted, state.listener, error)) {
      failure = {"ELISTEN", error};
      return nullptr;
    }
    engine->retirable_.push_back(duplicate(state.listener.fd.get()));
    engine->listeners_.push_back(std::move(state));
  }
  engine->kernel_ = tls::probe_kernel();
  return engine;
}

std::vector<os::ListenAddress> Engine::listeners() const {
  std::vector<os::ListenAddress> bound;
  for (const ListenerState& state : listeners_) bound.push_back(state.listener.bound);
  return bound;
}

std::vector<int> Engine::share_listeners() const {
  std::vector<int> shared;
  for (const ListenerState& state : listeners_)
    shared.push_back(duplicate(state.listener.bound.fd).release());
  return shared;
}

bool Engine::start(OnEvent on_event, Failure& failure) {
  on_event_ = std::move(on_event);
  if (closer_.start() && thread_.start("spliced-engine", [this] { run(); })) return true;
  failure = {"ETHREAD", "cannot start a thread: raise TasksMax or RLIMIT_NPROC"};
  return false;
}

void Engine::wake_with(const std::function<void(Mailbox&)>& change) {
  std::lock_guard<std::mutex> lock(mailbox_.mutex);
  change(mailbox_);
  if (mailbox_.ring != nullptr) mailbox_.ring->wake();
}

bool Engine::replace_certificates(const std::vector<tls::CertificatePem>& pems, Failure& failure) {
  std::string error;
  auto generation = tls::ContextGeneration::build(pems, generation_->trust(), tickets_, error);
  if (!generation) {
    failure = {"ECERTIFICATE", error};
    return false;
  }
  generation_ = std::move(generation);
  post_generation();
  return true;
}

bool Engine::replace_client_certificates(const ClientCertificates& clients, Failure& failure) {
  tls::ContextGeneration::Trust trust;
  if (!read_trust(clients, trust, failure)) return false;
  std::string error;
  auto generation = generation_->with_trust(std::move(trust), tickets_, error);
  if (!generation) {
    failure = {"ECLIENTCERTIFICATES", error};
    return false;
  }
  generation_ = std::move(generation);
  certificate_required_ = clients.required;
  post_generation();
  return true;
}

// Both at once: no request is judged by the paths of one and the trust of another.
void Engine::post_generation() {
  wake_with([this](Mailbox& mail) {
    mail.generation = generation_;
    mail.certificate_required = certificate_required_;
  });
}

bool Engine::replace_site(const SiteOptions& options, Failure& failure) {
  std::shared_ptr<conn::Site> site = build_site(options, figures_.files, failure);
  if (!site) return false;
  wake_with([&](Mailbox& mail) { mail.site = std::move(site); });
  return true;
}

void Engine::ping() {
  wake_with([](Mailbox&) {});
}

void Engine::suspend_offload(bool suspended, std::string reason) {
  {
    std::lock_guard<std::mutex> lock(shown_mutex_);
    shown_.suspended_because = suspended ? std::move(reason) : "";
  }
  wake_with([&](Mailbox& mail) { mail.offload_suspended = suspended; });
}

bool Engine::set_canary(std::string_view body) {
  files::FilePtr file = files::memory_file(body);
  if (!file) return false;
  wake_with([&](Mailbox& mail) { mail.canary_file = std::move(file); });
  return true;
}

void Engine::expect_canary(uint16_t port, bool in_kernel) {
  wake_with([&](Mailbox& mail) {
    mail.canary.emplace();
    mail.canary->port = port;
    mail.canary->in_kernel = in_kernel;
  });
}

void Engine::set_uploads(std::vector<std::shared_ptr<upload::Ticket>> uploads) {
  SPLICED_ASSERT(uploads.size() <= limits::kUploadsMax);
  wake_with([&](Mailbox& mail) { mail.uploads = std::move(uploads); });
}

bool Engine::annotate(const std::string& name, std::string json) {
  if (name.size() + json.size() > limits::kAnnotationBytesMax) return false;
  std::lock_guard<std::mutex> lock(shown_mutex_);
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

Engine::Shown Engine::shown() const {
  std::lock_guard<std::mutex> lock(shown_mutex_);
  return shown_;
}

void Engine::stop(uint32_t timeout_ms) {
  const uint64_t by_ms = base::now_ms() + timeout_ms;
  wake_with([&](Mailbox& mail) {
    if (!mail.stop_by_ms || by_ms < *mail.stop_by_ms) mail.stop_by_ms = by_ms;
  });
}

bool Engine::close(uint32_t wait_ms) {
  stop(0);
  return thread_.join_within(wait_ms) && closer_.stop(wait_ms);
}

void Engine::retire_listeners() {
  std::lock_guard<std::mutex> lock(mailbox_.mutex);
  for (os::Fd& fd : retirable_)
    if (fd) os::retire_listener(fd.release());
}

}  // namespace spliced::engine
