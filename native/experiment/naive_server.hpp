// SPDX-License-Identifier: Apache-2.0
// AN EXPERIMENT, NEVER A SERVICE: a server with the bug that spliced was written to avoid. It takes
// a connection as an engine does (same handshake, same promotion to kernel TLS), answers any
// request with one file by non-blocking sendfile, and closes as soon as the last call has returned.
// It listens on 127.0.0.1 while one `spliced doctor --reproduce` counts what that loses.
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "os/fd.hpp"
#include "os/listener.hpp"
#include "tls/context.hpp"
#include "tls/probe.hpp"

namespace spliced::experiment {

class NaiveServer {
 public:
  // Null, with one sentence in `error`, if it cannot listen, read the file or start.
  static std::unique_ptr<NaiveServer> start(const tls::CertificatePem& certificate,
                                            const std::string& file, std::string& error);
  ~NaiveServer();  // aborts open connections and joins the thread
  NaiveServer(const NaiveServer&) = delete;
  NaiveServer& operator=(const NaiveServer&) = delete;

  uint16_t port() const { return listener_.bound.port; }
  // Connections that kernel TLS did not take over. They are dropped, and the experiment proves
  // nothing.
  uint32_t not_promoted() const { return not_promoted_.load(); }

 private:
  struct Connection;
  NaiveServer();
  void run();
  bool step(Connection& c);
  bool establish(Connection& c);
  bool answer(Connection& c);
  bool send_body(Connection& c);

  tls::TicketKeys tickets_;
  std::shared_ptr<const tls::ContextGeneration> generation_;
  const tls::KernelSupport kernel_;
  os::Listener listener_;
  os::Fd file_;
  uint64_t file_bytes_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<uint32_t> not_promoted_{0};
  std::thread thread_;
};

}  // namespace spliced::experiment
