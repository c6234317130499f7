// SPDX-License-Identifier: Apache-2.0
// What the simulation's clients ask for, and what has to come of it.
#pragma once
#include <string>
#include <vector>

#include "fakes/world.hpp"

namespace spliced::fakes {

struct Planned {
  std::string bytes;  // of the request
  int status = 200;
  std::string body;  // of the whole response, as long as nobody touches the file
  bool head = false;
  bool touchable = false;  // the file may be cut or replaced meanwhile
  std::string plain = {};  // the body where the disk fails to give the sibling
  bool parts = false;      // `body` has kBoundary where the response's own boundary is
};

struct Client {
  Peer peer{0};
  std::vector<Planned> plan;
  std::string unsent;  // of the requests
  bool alive = true;   // at the end: reads on, and closes after the FIN
  bool kernel_tls = true;
};

}  // namespace spliced::fakes
