// SPDX-License-Identifier: Apache-2.0
// What seam/ passes to a Service, and the events that come back.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "conn/services.hpp"
#include "engine/client_certificates.hpp"
#include "engine/site.hpp"
#include "os/listener.hpp"
#include "tls/context.hpp"

namespace spliced::engine {

struct Options {
  SiteOptions site;
  std::vector<os::ListenAddress> listeners;
  std::vector<tls::CertificatePem> certificates;
  std::vector<std::string> tls_groups;  // empty: the default
  bool http2 = false;  // requested; h2::unavailable_because() says whether it is possible
  ClientCertificates client_certificates;
  ring::Backend ring = ring::Backend::Auto;
  size_t engines = 1;  // at most limits::kEnginesMax
  conn::Options connections;
};

struct Event {
  enum class Type : uint8_t {
    Started,   // every engine serves
    Stopped,   // every engine has ended; has the sums
    Failed,    // an engine cannot serve
    Released,  // an engine that was replaced has ended: its thread has returned
  };
  Type type = Type::Failed;
  std::string backend;                                 // Started
  std::string reason;                                  // Started, Failed
  uint64_t drained = 0, aborted = 0, duration_ms = 0;  // Stopped, Released
  uint32_t engine = 0;                                 // Released: its id
};

}  // namespace spliced::engine
