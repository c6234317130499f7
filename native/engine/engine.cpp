// SPDX-License-Identifier: Apache-2.0
// See engine.hpp. Here: making an engine, and what other threads may call. The loop is loop.cpp.
#include "engine/engine.hpp"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.hpp"
#include "os/thread.hpp"

namespace spliced::engine {
namespace {

os::Fd open_root(const std::string& path, Failure& failure) {
  os::Fd root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) {
    failure = {"EROOT", "cannot serve \"" + path + "\": " + ::strerror(errno) +
                            "; give a readable directory with --root"};
  }
  return root;
}

}  // namespace

Engine::Engine(const Options& options)
    : options_(options), tickets_(base::now_ms()), started_ms_(base::now_ms()) {}

std::unique_ptr<Engine> Engine::create(const Options& options, Failure& failure) {
  std::unique_ptr<Engine> engine(new Engine(options));
  engine->root_ = open_root(options.root, failure);
  if (!engine->root_) return nullptr;
  std::string error;
  engine->generation_ =
      tls::ContextGeneration::build(options.certificates, engine->tickets_, error);
  if (!engine->generation_) {
    failure = {"ECERTIFICATE", error};
    return nullptr;
  }
  for (const os::ListenAddress& wanted : options.listeners) {
    ListenerState state;
    if (!os::open_listener(wanted, state.listener, error)) {
      failure = {"ELISTEN", error};
      return nullptr;
    }
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

bool Engine::start(OnEvent on_event, Failure& failure) {
  on_event_ = std::move(on_event);
  if (closer_.start() && os::start_thread(thread_, "spliced-engine", [this] { run(); }))
    return true;
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
  auto generation = tls::ContextGeneration::build(pems, tickets_, error);
  if (!generation) {
    failure = {"ECERTIFICATE", error};
    return false;
  }
  wake_with([&](Mailbox& mail) { mail.generation = std::move(generation); });
  return true;
}

bool Engine::set_daemon_status(std::string json) {
  if (json.size() > limits::kDaemonStatusBytesMax) return false;
  std::lock_guard<std::mutex> lock(daemon_status_mutex_);
  daemon_status_.swap(json);
  return true;
}

void Engine::stop(uint32_t timeout_ms) {
  const uint64_t by_ms = base::now_ms() + timeout_ms;
  wake_with([&](Mailbox& mail) {
    if (!mail.stop_by_ms || by_ms < *mail.stop_by_ms) mail.stop_by_ms = by_ms;
  });
}

void Engine::close() {
  stop(0);
  if (thread_.joinable()) thread_.join();
  closer_.stop();
}

}  // namespace spliced::engine
