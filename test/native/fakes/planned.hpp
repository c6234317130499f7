// SPDX-License-Identifier: Apache-2.0
// The requests of the simulation's clients, and the expected results.
#pragma once
#include <string>
#include <vector>

#include "fakes/world.hpp"

namespace spliced::fakes {

struct Planned {
  std::string bytes;  // of the request
  int status = 200;
  std::string body;  // of the whole response, while the file is unchanged
  bool head = false;
  bool touchable = false;  // the file may be truncated or replaced meanwhile
  std::string plain = {};  // the body if the disk fails to deliver the sibling
  bool parts = false;      // `body` has kBoundary where the response's own boundary is
};

struct Client {
  Peer peer{0};
  std::vector<Planned> plan;
  std::string unsent;  // rest of the requests
  bool alive = true;   // at the end: reads on, and closes after the FIN
  bool kernel_tls = true;
};

}  // namespace spliced::fakes
