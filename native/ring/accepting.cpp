// SPDX-License-Identifier: Apache-2.0
// See accepting.hpp.
#include "ring/accepting.hpp"

#include <errno.h>
#include <sys/socket.h>

namespace spliced::ring {
namespace {

constexpr int kAcceptsPerWait = 64;

}  // namespace

Accepting::Listener* Accepting::find(Token token) {
  for (Listener& listener : listeners_)
    if (listener.token.pack() == token.pack()) return &listener;
  return nullptr;
}

void Accepting::forget(Token token) {
  for (size_t i = 0; i < listeners_.size(); i++) {
    if (listeners_[i].token.pack() != token.pack()) continue;
    listeners_.erase(listeners_.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
}

int accept_some(int listener, Token token, std::vector<Completion>& out) {
  for (int i = 0; i < kAcceptsPerWait; i++) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      out.push_back({token, fd, true});
    } else if (errno == EAGAIN) {
      return 0;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return -errno;
    }
  }
  return 0;
}

}  // namespace spliced::ring
