// SPDX-License-Identifier: Apache-2.0
// See signing.hpp.
#include "tls/signing.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <thread>
#include <utility>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "os/thread.hpp"

namespace spliced::tls {
namespace {

using Lock = std::unique_lock<std::mutex>;
using Job = std::shared_ptr<SigningJob>;

// Of all pools together: threads that hang in a former pool count for the next one.
std::atomic<size_t> threads_of_process{0};

}  // namespace

void SigningInbox::on_arrival(std::function<void()> wake) {
  Lock lock(mutex_);
  wake_ = std::move(wake);
}

void SigningInbox::put(Signed done) {
  Lock lock(mutex_);
  done_.push_back(done);
  if (wake_) wake_();
}

std::vector<SigningInbox::Signed> SigningInbox::take() {
  Lock lock(mutex_);
  return std::exchange(done_, {});
}

// State that the threads share, and keep alive. Unless said otherwise, functions below are called
// with the mutex held.
struct SigningPool::Shared {
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::deque<Job> waiting;
  std::vector<Job> running;
  size_t threads = 0;
  bool stopping = false;
  Report ever;

  size_t count(const KeyHealth& key) const {
    return static_cast<size_t>(std::count_if(running.begin(), running.end(), [&](const Job& job) {
      return job->key.health.get() == &key;
    }));
  }
  static bool hangs(const SigningJob& job, uint64_t now_ms) {
    return now_ms - job.began_ms >= limits::kTokenHangsMs;
  }
  bool hangs(const KeyHealth& key, uint64_t now_ms) const {
    return std::any_of(running.begin(), running.end(), [&](const Job& job) {
      return job->key.health.get() == &key && hangs(*job, now_ms);
    });
  }

  void remember(const std::shared_ptr<KeyHealth>& key);
  void mark_hanging(KeyHealth& key, uint64_t now_ms);
  void turn_away_waiting(const KeyHealth& key);
  bool add_trial(const RemoteKey& key);
  Job next();
  size_t could_run() const;
  void finish(const Job& job, Signature result, const std::string& reason);
  static void start_threads(const std::shared_ptr<Shared>& shared);
  void work();  // a thread's main function; locks the mutex itself
};

void SigningPool::Shared::remember(const std::shared_ptr<KeyHealth>& key) {
  auto& keys = ever.keys;
  if (std::find(keys.begin(), keys.end(), key) != keys.end()) return;
  if (keys.size() >= limits::kKeysKnownMax) keys.erase(keys.begin());
  keys.push_back(key);
}

void SigningPool::Shared::mark_hanging(KeyHealth& key, uint64_t now_ms) {
  if (key.is_failing() || !hangs(key, now_ms)) return;
  key.failed("its token does not answer", now_ms);
  turn_away_waiting(key);
}

void SigningPool::Shared::turn_away_waiting(const KeyHealth& key) {
  for (auto it = waiting.begin(); it != waiting.end();) {
    SigningJob& job = **it;
    if (job.key.health.get() != &key) {
      ++it;
      continue;
    }
    job.state = SigningJob::State::Done;
    job.turned_away = true;
    if (job.session) ever.turned_away++;
    if (job.inbox) job.inbox->put(job.name);
    it = waiting.erase(it);
  }
}

// False: a trial is under way.
bool SigningPool::Shared::add_trial(const RemoteKey& key) {
  const auto is_trial = [&](const Job& job) {
    return !job->session && job->key.health == key.health && job->inbox == nullptr;
  };
  if (stopping || std::any_of(waiting.begin(), waiting.end(), is_trial) ||
      std::any_of(running.begin(), running.end(), is_trial))
    return false;
  waiting.push_front(std::make_shared<SigningJob>(nullptr, key, nullptr, SigningInbox::Signed{}));
  waiting.front()->state = SigningJob::State::Waiting;
  return true;
}

// The first job whose key has a thread left for it.
Job SigningPool::Shared::next() {
  const auto found = std::find_if(waiting.begin(), waiting.end(), [&](const Job& job) {
    return count(*job->key.health) < job->key.health->signs_at_once();
  });
  if (found == waiting.end()) return nullptr;
  Job job = *found;
  waiting.erase(found);
  running.push_back(job);
  job->state = SigningJob::State::Running;
  job->began_ms = base::now_ms();
  return job;
}

// A failed handshake proves little: its client may have asked for what this token cannot do. A
// trial tells whether the key still signs.
void SigningPool::Shared::finish(const Job& job, Signature result, const std::string& reason) {
  KeyHealth& key = *job->key.health;
  running.erase(std::find(running.begin(), running.end(), job));
  job->state = SigningJob::State::Done;
  if (result == Signature::Made) {
    if (job->inbox) ever.made++;
    key.succeeded();
  } else if (result == Signature::Failed) {
    if (job->inbox) ever.failed++;
    if (job->inbox && !key.is_failing()) {
      add_trial(job->key);
    } else {
      key.failed(reason, base::now_ms());
      turn_away_waiting(key);
    }
  }
  if (job->inbox && !job->given_up) job->inbox->put(job->name);
}

void SigningPool::Shared::work() {
  Lock lock(mutex);
  for (;;) {
    Job job;
    while (!stopping && !(job = next())) changed.wait(lock);
    if (!job) break;
    lock.unlock();
    std::string reason;
    const Signature result =
        job->session ? job->session->sign(reason) : try_key(job->key.key.get(), reason);
    lock.lock();
    finish(job, result, reason);
    changed.notify_all();
    lock.unlock();
    job.reset();  // frees the session, if nobody waits for it
    lock.lock();
  }
  threads--;
  threads_of_process--;
  changed.notify_all();
}

// How many waiting jobs would run if there were enough threads.
size_t SigningPool::Shared::could_run() const {
  std::map<const KeyHealth*, size_t> busy;
  size_t count = 0;
  for (const Job& job : running) busy[job->key.health.get()]++;
  for (const Job& job : waiting)
    if (busy[job->key.health.get()]++ < job->key.health->signs_at_once()) count++;
  return count;
}

// Starts as many threads as have something to do.
void SigningPool::Shared::start_threads(const std::shared_ptr<Shared>& shared) {
  const size_t wanted = shared->running.size() + shared->could_run();
  while (shared->threads < wanted) {
    if (threads_of_process.fetch_add(1) >= limits::kSigningThreadsMax) {
      threads_of_process--;
      break;
    }
    std::thread thread;
    if (!os::start_thread(thread, "spliced-sign", [shared] { shared->work(); })) {
      threads_of_process--;
      break;
    }
    thread.detach();
    shared->threads++;
  }
  shared->changed.notify_all();
}

SigningPool::SigningPool() : shared_(std::make_shared<Shared>()) {}

SigningPool::~SigningPool() {
  stop(0);
}

bool SigningPool::submit(const Job& job) {
  const uint64_t now_ms = base::now_ms();
  KeyHealth& key = *job->key.health;
  Lock lock(shared_->mutex);
  Shared& s = *shared_;
  s.remember(job->key.health);
  s.mark_hanging(key, now_ms);
  const bool failing = key.is_failing();
  bool taken = !s.stopping && s.waiting.size() < limits::kSignaturesWaitingMax;
  // While a key fails, one job at a time is the trial, and none waits for those that hang.
  if (taken && failing) taken = s.count(key) < key.signs_at_once() && key.may_try(now_ms);
  if (taken) {
    job->state = SigningJob::State::Waiting;
    s.waiting.push_back(job);
    Shared::start_threads(shared_);
    taken = s.threads > 0;
    if (!taken) s.waiting.pop_back();
  }
  if (!taken) s.ever.turned_away++;
  return taken;
}

std::unique_ptr<Session> SigningPool::collect(SigningJob& job) {
  Lock lock(shared_->mutex);
  if (job.state != SigningJob::State::Done || job.turned_away) return nullptr;
  return std::move(job.session);
}

void SigningPool::give_up(const Job& job, bool overdue) {
  Lock lock(shared_->mutex);
  Shared& s = *shared_;
  job->given_up = true;
  const auto found = std::find(s.waiting.begin(), s.waiting.end(), job);
  if (found != s.waiting.end()) s.waiting.erase(found);
  if (!overdue) return;
  s.ever.overdue++;
  s.mark_hanging(*job->key.health, base::now_ms());
}

void SigningPool::try_again(const RemoteKey& key) {
  Lock lock(shared_->mutex);
  shared_->remember(key.health);
  if (shared_->count(*key.health) >= key.health->signs_at_once() ||
      !key.health->may_try(base::now_ms()))
    return;
  if (shared_->add_trial(key)) Shared::start_threads(shared_);
}

void SigningPool::stop(uint32_t wait_ms) {
  std::deque<Job> dropped;
  Lock lock(shared_->mutex);
  shared_->stopping = true;
  dropped.swap(shared_->waiting);
  shared_->changed.notify_all();
  shared_->changed.wait_for(lock, std::chrono::milliseconds(wait_ms),
                            [this] { return shared_->threads == 0; });
}

SigningPool::Report SigningPool::report() const {
  Lock lock(shared_->mutex);
  Report report = shared_->ever;
  const uint64_t now_ms = base::now_ms();
  report.waiting = shared_->waiting.size();
  report.threads = shared_->threads;
  for (const Job& job : shared_->running) report.hanging += Shared::hangs(*job, now_ms) ? 1 : 0;
  return report;
}

}  // namespace spliced::tls
