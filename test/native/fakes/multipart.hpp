// SPDX-License-Identifier: Apache-2.0
// The expected multipart/byteranges body (RFC 9110 14.6), with a placeholder for the boundary that
// each response chooses.
#pragma once
#include <string>

namespace spliced::fakes {

inline const std::string kBoundary(32, '#');

inline std::string part(const std::string& content, size_t first, size_t last) {
  return "--" + kBoundary + "\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes " +
         std::to_string(first) + "-" + std::to_string(last) + "/" + std::to_string(content.size()) +
         "\r\n\r\n" + content.substr(first, last + 1 - first) + "\r\n";
}

// Puts the boundary that the response's head names into `body`.
inline std::string with_boundary(std::string body, const std::string& head) {
  const size_t at = head.find("boundary=");
  if (at == std::string::npos) return body;
  const std::string boundary = head.substr(at + 9, kBoundary.size());
  for (size_t i = body.find(kBoundary); i != std::string::npos; i = body.find(kBoundary, i))
    body.replace(i, kBoundary.size(), boundary);
  return body;
}

}  // namespace spliced::fakes
