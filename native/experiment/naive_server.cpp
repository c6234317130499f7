// SPDX-License-Identifier: Apache-2.0
// See naive_server.hpp.
#include "experiment/naive_server.hpp"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "os/thread.hpp"
#include "tls/promote.hpp"

namespace spliced::experiment {
namespace {

constexpr int kWakeMs = 50;  // how late the thread may notice the stop
constexpr size_t kConnectionsMax = 64;

}  // namespace

struct NaiveServer::Connection {
  os::Fd socket;
  std::unique_ptr<tls::Session> session;  // until kernel TLS has the connection
  std::string head;
  off_t offset = 0;
  bool sending = false;
};

NaiveServer::NaiveServer() : tickets_(base::now_ms()), kernel_(tls::probe_kernel()) {}

std::unique_ptr<NaiveServer> NaiveServer::start(const tls::CertificatePem& certificate,
                                                const std::string& file, std::string& error) {
  std::unique_ptr<NaiveServer> server(new NaiveServer());
  server->generation_ =
      tls::ContextGeneration::build({certificate}, nullptr, server->tickets_, error);
  if (!server->generation_) return nullptr;
  if (!os::open_listener({"127.0.0.1", 0}, server->listener_, error)) return nullptr;
  server->file_.reset(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!server->file_ || ::fstat(server->file_.get(), &status) != 0) {
    error = "cannot read " + file + ": " + ::strerror(errno);
    return nullptr;
  }
  server->file_bytes_ = static_cast<uint64_t>(status.st_size);
  if (!os::start_thread(server->thread_, "spliced-naive", [s = server.get()] { s->run(); })) {
    error = "cannot start a thread: raise TasksMax or RLIMIT_NPROC";
    return nullptr;
  }
  return server;
}

NaiveServer::~NaiveServer() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

// Each step returns false when the connection is over.
bool NaiveServer::establish(Connection& c) {
  switch (c.session->handshake()) {
    case tls::Handshake::Failed:
      return false;
    case tls::Handshake::Done:
      break;
    default:
      return true;
  }
  const tls::Promotion promotion = tls::promote(c.socket.get(), *c.session, kernel_, std::nullopt);
  if (promotion.outcome != tls::Promotion::Outcome::Kernel) {
    not_promoted_++;
    return false;
  }
  c.session.reset();
  return answer(c);
}

bool NaiveServer::answer(Connection& c) {
  char buffer[limits::kRecordPlaintextBytes];
  const os::Received received = os::receive_record(c.socket.get(), buffer, sizeof buffer);
  if (received.io == os::Io::WouldBlock) return true;
  if (received.io != os::Io::Done) return false;
  c.head.append(buffer, received.bytes);
  if (c.head.size() > limits::kHeadBytesMax) return false;
  if (c.head.find("\r\n\r\n") == std::string::npos) return true;
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(file_bytes_) +
                           "\r\nConnection: close\r\n\r\n";
  const os::Moved sent = os::send_bytes(c.socket.get(), head.data(), head.size(), true);
  if (sent.io != os::Io::Done || sent.bytes != head.size()) return false;
  c.sending = true;
  return send_body(c);
}

bool NaiveServer::send_body(Connection& c) {
  while (static_cast<uint64_t>(c.offset) < file_bytes_) {
    const size_t piece =
        std::min<uint64_t>(limits::kPieceBytes, file_bytes_ - static_cast<uint64_t>(c.offset));
    const ssize_t sent = ::sendfile(c.socket.get(), file_.get(), &c.offset, piece);
    if (sent <= 0) return sent < 0 && (errno == EAGAIN || errno == EINTR);
  }
  return false;  // the bug: "everything is sent", so close now
}

bool NaiveServer::step(Connection& c) {
  if (c.session) return establish(c);
  return c.sending ? send_body(c) : answer(c);
}

void NaiveServer::run() {
  std::vector<std::unique_ptr<Connection>> open;
  std::vector<pollfd> polled;
  while (!stopping_) {
    polled.assign(1, {listener_.fd.get(), POLLIN, 0});
    for (const auto& c : open) {
      const short wanted = c->sending ? POLLOUT : POLLIN;
      polled.push_back({c->socket.get(), wanted, 0});
    }
    if (::poll(polled.data(), polled.size(), kWakeMs) <= 0) continue;
    for (size_t i = 0; i < open.size(); i++)
      if (polled[i + 1].revents != 0 && !step(*open[i])) open[i].reset();
    open.erase(std::remove(open.begin(), open.end(), nullptr), open.end());
    if (polled[0].revents == 0 || open.size() >= kConnectionsMax) continue;
    os::Fd accepted(::accept4(listener_.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!accepted) continue;
    auto c = std::make_unique<Connection>();
    c->session = tls::Session::start(generation_, accepted.get());
    c->socket = std::move(accepted);
    if (c->session) open.push_back(std::move(c));
  }
}

}  // namespace spliced::experiment
