// SPDX-License-Identifier: Apache-2.0
// Signatures by keys that are not in memory, on threads of their own: a token takes 10 to 500 ms,
// or never answers. An engine gives the session of a handshake to the pool (SigningJob) and serves
// its other connections. A thread runs the step with the signature (Session::sign) and reports it
// through the engine's SigningInbox. It touches neither the socket nor the connection. Bounded are
// the threads of the process, the threads of one key, and the waiting jobs (limits.hpp).
//
// A thread that hangs in a token is abandoned. What it uses lives as long as it does.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tls/key_health.hpp"
#include "tls/session.hpp"

namespace spliced::tls {

// Completed jobs of one engine. Engine and threads share it.
class SigningInbox {
 public:
  struct Signed {
    uint32_t slot = 0, generation = 0;  // of the connection, when it submitted the job
  };
  // `wake` is called from the thread that completed a job, and must return at once. Empty: no call.
  void on_arrival(std::function<void()> wake);
  void put(Signed done);
  std::vector<Signed> take();

 private:
  std::mutex mutex_;
  std::function<void()> wake_;
  std::vector<Signed> done_;  // bounded by the number of jobs
};

// One step of one handshake. The engine makes it. The connection owns its session again when the
// inbox has the job, or when submit() has refused it.
struct SigningJob {
  SigningJob(std::unique_ptr<Session> of, RemoteKey by, std::shared_ptr<SigningInbox> to,
             SigningInbox::Signed as)
      : session(std::move(of)), key(std::move(by)), inbox(std::move(to)), name(as) {}

  std::unique_ptr<Session> session;  // null: a trial of the key alone
  const RemoteKey key;
  const std::shared_ptr<SigningInbox> inbox;
  const SigningInbox::Signed name;

  // The pool's state of the job, under the pool's mutex.
  enum class State : uint8_t { New, Waiting, Running, Done };
  State state = State::New;
  bool turned_away = false;  // Done, but not signed
  bool given_up = false;     // nobody waits for it any more
  uint64_t began_ms = 0;     // when it began to run
};

// Signs something with the key, as a handshake would. Made, or Failed with one sentence. Takes as
// long as the token does.
Signature try_key(EVP_PKEY* key, std::string& reason);

class SigningPool {
 public:
  SigningPool();
  ~SigningPool();  // equals stop(0)
  SigningPool(const SigningPool&) = delete;
  SigningPool& operator=(const SigningPool&) = delete;

  // For any thread. False: refused at once, because the key fails, too many jobs wait or the
  // process may have no more threads. The job keeps its session.
  bool submit(const std::shared_ptr<SigningJob>& job);
  // Takes the session of a completed job. Null: it was turned away, because the key had begun to
  // fail.
  std::unique_ptr<Session> collect(SigningJob& job);
  // Abandons a job: one that has not begun is never run; one that runs is freed by its thread.
  // `overdue`: the time for it is over. If it hangs in the token, the key counts as failing from
  // now on, and all jobs that wait for the key are turned away.
  void give_up(const std::shared_ptr<SigningJob>& job, bool overdue);
  // For a key that fails and is replaced by others: signs something with it when a trial is due.
  void try_again(const RemoteKey& key);
  // Begins no more jobs, and waits for those that run at most `wait_ms`: a thread that hangs in its
  // token does not keep the process from ending.
  void stop(uint32_t wait_ms);

  struct Report {
    uint64_t made = 0, failed = 0, turned_away = 0, overdue = 0;  // in all
    size_t waiting = 0, threads = 0, hanging = 0;                 // now
    std::vector<std::shared_ptr<KeyHealth>> keys;                 // all that were asked to sign
  };
  Report report() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace spliced::tls
