// SPDX-License-Identifier: Apache-2.0
// Accepting by readiness, for both backends: which listeners are armed, and the accept4(2) itself.
//
// Not IORING_OP_ACCEPT: its poll is exclusive (io_uring/opdef.c: poll_exclusive), so each new
// connection wakes the ring that armed first, and that one alone. Where a socket is shared (with
// the engine that this one replaces, or with a process that cannot die), and the first ring's
// thread hangs in the kernel, nobody would ever be told of a connection again.
#pragma once
#include <vector>

#include "ring/ring.hpp"

namespace spliced::ring {

class Accepting {
 public:
  struct Listener {
    int fd;
    Token token;
    bool cancelled = false;
  };

  void add(int fd, Token token) { listeners_.push_back({fd, token}); }
  void forget(Token token);
  Listener* find(Token token);  // null: not armed; valid until the next add or forget

 private:
  std::vector<Listener> listeners_;  // at most limits::kListenersMax
};

// Takes what waits, 64 connections at most, and appends a completion for each. 0: there may be
// more, or nothing waits. Else a negative errno (no descriptors, no memory): the accept is over,
// and its caller says so.
int accept_some(int listener, Token token, std::vector<Completion>& out);

}  // namespace spliced::ring
