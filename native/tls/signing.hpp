// SPDX-License-Identifier: Apache-2.0
// Signatures by keys that are not in memory, on threads of their own: a token takes 10 to 500 ms,
// or never answers. An engine gives the session of a handshake away (SigningJob) and serves the
// others; a thread runs the step with the signature (Session::sign) and says so by the engine's
// SigningInbox. The thread touches no socket and nothing of the connection. Bounded: the threads of
// the process, those of one key, and who waits (limits.hpp).
//
// A thread that hangs in a token is left to itself. What it uses lives as long as it does.
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

// Where the threads put what is done, for one engine. Lives as long as one of both.
class SigningInbox {
 public:
  struct Signed {
    uint32_t slot = 0, generation = 0;  // of the connection, as it was when it gave the job
  };
  // Called with each arrival from another thread; must return at once. Empty: nobody is told.
  void on_arrival(std::function<void()> wake);
  void put(Signed done);
  std::vector<Signed> take();

 private:
  std::mutex mutex_;
  std::function<void()> wake_;
  std::vector<Signed> done_;  // bounded by the jobs that there are
};

// One step of one handshake. Made by the engine; the session is its connection's again when the
// inbox says so, or submit() has refused.
struct SigningJob {
  SigningJob(std::unique_ptr<Session> of, RemoteKey by, std::shared_ptr<SigningInbox> to,
             SigningInbox::Signed as)
      : session(std::move(of)), key(std::move(by)), inbox(std::move(to)), name(as) {}

  std::unique_ptr<Session> session;  // null: a trial of the key alone
  const RemoteKey key;
  const std::shared_ptr<SigningInbox> inbox;
  const SigningInbox::Signed name;

  // Of the pool, under its mutex.
  enum class State : uint8_t { New, Waiting, Running, Done };
  State state = State::New;
  bool turned_away = false;  // Done, and it was not signed
  bool given_up = false;     // nobody waits for it any more
  uint64_t began_ms = 0;     // since when it runs
};

// Signs something with the key, as a handshake would: Made, or Failed with one sentence. It may
// take as long as the token likes.
Signature try_key(EVP_PKEY* key, std::string& reason);

class SigningPool {
 public:
  SigningPool();
  ~SigningPool();  // as stop(0)
  SigningPool(const SigningPool&) = delete;
  SigningPool& operator=(const SigningPool&) = delete;

  // Any thread. False: turned away, at once (the key fails, too many wait, no thread is to be had);
  // the session stays in the job.
  bool submit(const std::shared_ptr<SigningJob>& job);
  // Takes the session of a job that is done; null: it was turned away, because the key began to
  // fail meanwhile.
  std::unique_ptr<Session> collect(SigningJob& job);
  // Nobody waits for it any more: what has not begun never does, and what runs is freed by its
  // thread. `overdue`: it was waited for long enough; where it hangs in the token, the key fails
  // from now on, and so does everybody who waits for it.
  void give_up(const std::shared_ptr<SigningJob>& job, bool overdue);
  // While a key fails and others take over for it: signs something with it, when that is due.
  void try_again(const RemoteKey& key);
  // No job is begun any more, and none is waited for longer than `wait_ms`: what hangs in its token
  // does not keep the process from ending.
  void stop(uint32_t wait_ms);

  struct Report {
    uint64_t made = 0, failed = 0, turned_away = 0, overdue = 0;  // ever
    size_t waiting = 0, threads = 0, hanging = 0;                 // now
    std::vector<std::shared_ptr<KeyHealth>> keys;                 // that were asked for a signature
  };
  Report report() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace spliced::tls
