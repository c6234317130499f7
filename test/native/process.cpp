// SPDX-License-Identifier: Apache-2.0
// os::listener_of and os::signal_process against real sockets and processes: who is meant, and that
// nobody else is ever signalled.
#include "os/process.hpp"

#include <doctest/doctest.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "os/fd.hpp"

using spliced::os::Fd;
using spliced::os::listener_of;
using spliced::os::Peer;
using spliced::os::ProcessName;
using spliced::os::signal_process;

namespace {

// A process that waits for ever, and is ended with its owner.
class Child {
 public:
  Child() {
    // doctest has a handler, which the child must not have for a moment.
    struct sigaction fallback {
    }, before{};
    fallback.sa_handler = SIG_DFL;
    ::sigaction(SIGTERM, &fallback, &before);
    pid_ = ::fork();
    if (pid_ == 0)
      for (;;) ::pause();
    ::sigaction(SIGTERM, &before, nullptr);
  }
  ~Child() {
    if (pid_ > 0) ::kill(pid_, SIGKILL);
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }
  // The signal that has ended it; 0: it goes on.
  int signal_that_ended() {
    int status = 0;
    return ::waitpid(pid_, &status, WNOHANG) == pid_ && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
  int wait() {
    int status = 0;
    REQUIRE(::waitpid(pid_, &status, 0) == pid_);
    pid_ = -1;
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }

 private:
  pid_t pid_ = -1;
};

uint64_t ticks_of(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  FILE* file = ::fopen(path.c_str(), "r");
  REQUIRE(file != nullptr);
  unsigned long long ticks = 0;
  // Its name has no blank and no parenthesis: it is this program's.
  REQUIRE(
      ::fscanf(file,
               "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
               "%*d %llu",
               &ticks) == 1);
  ::fclose(file);
  return ticks;
}

}  // namespace

TEST_CASE("the very process is signalled, and no other") {
  Child child;
  const uint64_t ticks = ticks_of(child.pid());
  const uid_t uid = ::getuid();
  CHECK(signal_process({child.pid(), ticks + 1, uid}, SIGTERM) == ESRCH);
  CHECK(signal_process({child.pid(), ticks, uid + 1}, SIGTERM) == EPERM);
  CHECK(signal_process({child.pid(), 0, uid}, SIGTERM) == EINVAL);
  CHECK(signal_process({1, ticks, uid}, SIGTERM) == EINVAL);
  CHECK(signal_process({0, ticks, uid}, SIGTERM) == EINVAL);   // a process group
  CHECK(signal_process({-1, ticks, uid}, SIGTERM) == EINVAL);  // everybody
  CHECK(child.signal_that_ended() == 0);
  CHECK(signal_process({child.pid(), ticks, uid}, SIGTERM) == 0);
  const pid_t pid = child.pid();
  CHECK(child.wait() == SIGTERM);
  CHECK(signal_process({pid, ticks, uid}, SIGTERM) == ESRCH);
}

TEST_CASE("who listens on a socket") {
  char directory[] = "/tmp/spliced-process-XXXXXX";
  REQUIRE(::mkdtemp(directory) != nullptr);
  const std::string path = std::string(directory) + "/socket";
  Peer peer;
  CHECK(listener_of(path, peer) == ENOENT);
  CHECK(listener_of(std::string(200, 'a'), peer) == ENAMETOOLONG);
  CHECK(listener_of("", peer) == ENAMETOOLONG);
  const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un own{};
  own.sun_family = AF_UNIX;
  ::memcpy(own.sun_path, path.data(), path.size());
  REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&own), sizeof own) == 0);
  CHECK(listener_of(path, peer) == ECONNREFUSED);
  REQUIRE(::listen(socket.get(), 0) == 0);
  CHECK(listener_of(path, peer) == 0);
  CHECK(peer.pid == ::getpid());
  CHECK(peer.uid == ::getuid());
  CHECK(peer.gid == ::getgid());
  // The one that waits fills the queue of a listener that accepts nobody.
  CHECK(listener_of(path, peer) == EAGAIN);
  ::unlink(path.c_str());
  ::rmdir(directory);
}
