// SPDX-License-Identifier: Apache-2.0
// The client's end of a simulated connection: sends requests, and parses what has arrived into
// records and HTTP responses.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "fakes/fake_kernel.hpp"
#include "fakes/wire.hpp"

namespace spliced::fakes {

struct Response {
  int status = 0;
  size_t content_length = 0;
  std::string head, body;
  bool whole = false;
};

// `heads`: which of the requests were HEAD, so that their responses have no body.
std::vector<Response> parse_responses(const std::string& plaintext,
                                      const std::vector<bool>& heads = {});

class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}

  int fd() const { return fd_; }
  Socket& socket() const { return kernel().at(fd_); }
  void sends(const std::string& text) const { socket().peer_sends(text); }
  void get(const std::string& path, const std::string& fields = "") const {
    sends(request("GET", path, fields));
  }
  void says_goodbye() const { alert(1, 0); }
  void alert(uint8_t level, uint8_t description) const;
  void handshake_message(uint8_t type) const;
  void updates_key(bool requested) const;  // KeyUpdate

  static std::string request(const std::string& method, const std::string& path,
                             const std::string& fields = "");

  wire::Decoded arrived() const { return wire::decode(socket().arrived()); }
  std::vector<Response> responses(const std::vector<bool>& heads = {}) const {
    return parse_responses(arrived().plaintext, heads);
  }
  // The descriptions of the alerts, in order.
  std::vector<uint8_t> alerts() const;

 private:
  int fd_;
};

}  // namespace spliced::fakes
