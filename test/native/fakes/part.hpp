// SPDX-License-Identifier: Apache-2.0
// Shared by the scenarios of uploads: a ticket with its file, and requests for it.
#pragma once
#include <fcntl.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "doctest/doctest.h"
#include "fakes/ask.hpp"
#include "fakes/world.hpp"

namespace spliced::fakes {

inline const std::string kId = "abcdefgh";

struct Part {
  Part(World& in, uint64_t length, const std::string& there = "")
      : world(in), path(in.site.path("part")) {
    std::ofstream(path, std::ios::binary) << there;
    ticket = std::make_shared<upload::Ticket>(kId, os::Fd(::open(path.c_str(), O_RDWR | O_CLOEXEC)),
                                              length, there.size());
    world.services->uploads = {ticket};
    world.support.splices_received = true;
  }
  // Closes the file first, because the world counts its descriptors.
  std::string settle() {
    world.services->uploads.clear();
    ticket.reset();
    return world.settle_accounts();
  }
  std::string content() const {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  World& world;
  const std::string path;
  std::shared_ptr<upload::Ticket> ticket;
};

inline std::string put(size_t bytes, const std::string& fields = "") {
  return Peer::request("PUT", "/.spliced/upload/" + kId,
                       "Content-Length: " + std::to_string(bytes) + "\r\n" + fields);
}

// Sends records of at most 16 KiB.
inline void send_records(const Peer& peer, const std::string& data) {
  for (size_t at = 0; at < data.size(); at += 16384) peer.sends(data.substr(at, 16384));
}

inline Response only_response(const Peer& peer) {
  const std::vector<Response> all = peer.responses();
  REQUIRE(all.size() == 1);
  CHECK(all[0].whole);
  return all[0];
}

}  // namespace spliced::fakes
