// SPDX-License-Identifier: Apache-2.0
// A world with one route whose requests an application must authorize.
#pragma once
#include <string>

#include "fakes/proxied.hpp"

namespace spliced::fakes {

class Guarded : public Proxied {
 public:
  conn::IncidentLog incidents;

  explicit Guarded(bool proxied) {
    http::Route route = proxied ? proxy_route() : http::Route();
    route.index = "index.html";
    route.check = "unix:/check.sock";
    route.check_path = "/session/check?a=b";
    route.check_fields = {"X-User"};
    route.check_timeout_ms = 2000;
    route.fields = "X-Route: 1\r\n";
    serve({route});
    services->incident_log = &incidents;
  }
  std::string reason() {
    const auto batch = incidents.take();
    return batch.incidents.size() == 1 ? batch.incidents[0].reason : "";
  }
};

inline const std::string kPass =
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-User: anna\r\nX-No: 1\r\n\r\nok";

}  // namespace spliced::fakes
