// SPDX-License-Identifier: Apache-2.0
// See peer.hpp.
#include "fakes/peer.hpp"

#include <algorithm>
#include <cstdlib>

namespace spliced::fakes {

std::string Peer::request(const std::string& method, const std::string& path,
                          const std::string& fields) {
  return method + " " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

void Peer::alert(uint8_t level, uint8_t description) const {
  const char payload[] = {static_cast<char>(level), static_cast<char>(description)};
  socket().peer_sends({payload, 2}, os::RecordType::Alert);
}

void Peer::handshake_message(uint8_t type) const {
  socket().peer_sends(static_cast<char>(type) + std::string("\0\0\1\0", 4),
                      os::RecordType::Handshake);
}

void Peer::updates_key(bool requested) const {
  socket().peer_sends(std::string("\x18\0\0\1", 4) + static_cast<char>(requested),
                      os::RecordType::Handshake);
}

std::vector<uint8_t> Peer::alerts() const {
  std::vector<uint8_t> out;
  for (const wire::Record& record : arrived().records)
    if (record.type == wire::kAlert) out.push_back(static_cast<uint8_t>(record.payload.at(1)));
  return out;
}

std::vector<Response> parse_responses(const std::string& plaintext,
                                      const std::vector<bool>& heads) {
  std::vector<Response> out;
  size_t at = 0;
  while (at < plaintext.size()) {
    Response response;
    const size_t end = plaintext.find("\r\n\r\n", at);
    if (end == std::string::npos) {
      response.head = plaintext.substr(at);
      out.push_back(response);
      break;
    }
    response.head = plaintext.substr(at, end + 4 - at);
    response.status = std::atoi(response.head.substr(9, 3).c_str());
    const size_t field = response.head.find("Content-Length: ");
    if (field != std::string::npos)
      response.content_length = std::strtoull(response.head.c_str() + field + 16, nullptr, 10);
    at = end + 4;
    const bool head = out.size() < heads.size() && heads[out.size()];
    const size_t expected = head || response.status == 304 ? 0 : response.content_length;
    const size_t there = std::min(expected, plaintext.size() - at);
    response.body = plaintext.substr(at, there);
    response.whole = there == expected;
    at += there;
    out.push_back(response);
  }
  return out;
}

}  // namespace spliced::fakes
