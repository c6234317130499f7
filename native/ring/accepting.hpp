// SPDX-License-Identifier: Apache-2.0
// Accepting by readiness, for both backends: which listeners are armed, and the accept4(2) itself.
//
// Not IORING_OP_ACCEPT: its poll is exclusive (io_uring/opdef.c: poll_exclusive), so a new
// connection wakes only the ring that armed first. The socket may be shared with the engine that
// this one replaces, or with a process that cannot die. If the first ring's thread hangs in the
// kernel, nobody would be told of a connection again.
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

// Accepts up to 64 waiting connections and appends a completion for each. Returns 0 (there may be
// more, or nothing waits) or a negative errno (no descriptors, no memory). After an errno the
// accept is over, and the caller reports it.
int accept_some(int listener, Token token, std::vector<Completion>& out);

}  // namespace spliced::ring
