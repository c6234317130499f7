// SPDX-License-Identifier: Apache-2.0
// See self_request.hpp.
#include "selfcheck/self_request.hpp"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "os/fd.hpp"
#include "os/listener.hpp"
#include "tls/client.hpp"

namespace spliced::selfcheck {
namespace {

constexpr char kRequest[] = "HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
constexpr size_t kAnswerBytesMax = 16 * 1024;

class Exchange {
 public:
  explicit Exchange(const SelfRequest& request)
      : request_(request), end_ms_(base::now_ms() + request.timeout_ms) {}

  bool unreached() const { return unreached_; }

  std::string run() {
    if (!connect()) return trouble_;
    const tls::ClientContext context;
    const auto tls = tls::Client::start(context, socket_.get());
    if (!tls) return "no memory for a TLS client";
    if (!shake_hands(*tls)) return trouble_;
    const std::string found = tls->peer_fingerprint();
    const auto& ours = request_.fingerprints;
    if (std::find(ours.begin(), ours.end(), found) == ours.end())
      return "another certificate answers: " + found;
    if (!tls->write(kRequest, sizeof kRequest - 1)) return "the request could not be sent";
    return read_answer(*tls);
  }

 private:
  // False, with `trouble` set, when the time is over.
  bool wait_for(short events) {
    const uint64_t now = base::now_ms();
    pollfd entry{socket_.get(), events, 0};
    const int wait_ms = static_cast<int>(end_ms_ - std::min(end_ms_, now));
    if (wait_ms > 0 && (::poll(&entry, 1, wait_ms) > 0 || errno == EINTR)) return true;
    return fails("no answer within " + std::to_string(request_.timeout_ms) + " ms");
  }

  bool fails(const std::string& trouble) {
    trouble_ = trouble;
    return false;
  }

  bool connect() {
    sockaddr_storage address{};
    socklen_t bytes = 0;
    if (!os::socket_address(request_.address, request_.port, address, bytes))
      return fails("\"" + request_.address + "\" is no numeric address");
    socket_.reset(
        ::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
    if (!socket_) return fails(std::string("no socket: ") + ::strerror(errno));
    int error =
        ::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), bytes) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      if (!wait_for(POLLOUT)) {
        unreached_ = true;
        return fails("cannot connect: " + trouble_);
      }
      socklen_t size = sizeof error;
      ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    }
    // A refusal, or a reset right after the accept (the table is full), is an answer.
    const bool is_answer = error == ECONNREFUSED || error == ECONNRESET || error == EPIPE;
    unreached_ = error != 0 && !is_answer;
    return error == 0 || fails(std::string("cannot connect: ") + ::strerror(error));
  }

  bool shake_hands(tls::Client& tls) {
    for (;;) {
      const tls::Handshake step = tls.handshake();
      if (step == tls::Handshake::Done) return true;
      if (step == tls::Handshake::Failed) return fails("the TLS handshake fails");
      if (!wait_for(step == tls::Handshake::NeedRead ? POLLIN : POLLOUT)) return false;
    }
  }

  std::string read_answer(tls::Client& tls) {
    std::string answer;
    std::array<char, limits::kRecordPlaintextBytes> buffer;
    for (;;) {
      const os::Received received = tls.read(buffer.data(), buffer.size());
      if (received.io == os::Io::Eof) break;
      if (received.io == os::Io::Failed) return "a record of the answer cannot be read";
      if (received.io == os::Io::WouldBlock && !wait_for(POLLIN)) return trouble_;
      answer.append(buffer.data(), received.bytes);
      if (answer.size() > kAnswerBytesMax) return "the answer is too long";
    }
    const bool is_whole =
        answer.rfind("HTTP/1.1 ", 0) == 0 && answer.find("\r\n\r\n") != answer.npos;
    return is_whole ? "" : "the answer is not an HTTP/1.1 response";
  }

  const SelfRequest& request_;
  const uint64_t end_ms_;
  os::Fd socket_;
  std::string trouble_;
  bool unreached_ = false;
};

}  // namespace

SelfAnswer ask_ourselves(const SelfRequest& request) {
  Exchange exchange(request);
  std::string trouble = exchange.run();
  return {std::move(trouble), exchange.unreached()};
}

}  // namespace spliced::selfcheck
