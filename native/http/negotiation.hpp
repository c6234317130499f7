// SPDX-License-Identifier: Apache-2.0
// Which content codings a client accepts (RFC 9110 12.5.3), in the order in which siblings of a
// file are tried. Called by conn's lookup for each request of a file. Pure, no allocation.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/fields.hpp"

namespace spliced::http {

// In the server's order of preference, used where the client has none: the smallest first.
enum class Coding : uint8_t { Brotli, Zstd, Gzip };
inline constexpr size_t kCodings = 3;

struct CodingName {
  std::string_view token;   // of Content-Encoding (RFC 9110 8.4.1, RFC 7932, RFC 8878)
  std::string_view suffix;  // of the sibling's name
};
inline constexpr CodingName kCodingNames[kCodings] = {
    {"br", ".br"}, {"zstd", ".zst"}, {"gzip", ".gz"}};

constexpr const CodingName& name_of(Coding coding) {
  return kCodingNames[static_cast<size_t>(coding)];
}

struct Preference {
  Coding order[kCodings] = {};  // the best first; each is preferred to identity
  size_t count = 0;
  bool identity = true;  // identity is acceptable; if not, and there is no sibling: 406
};

// `field` is the request's Accept-Encoding. If it is absent (data() is nullptr), only the file
// without a coding is acceptable: RFC 9110 allows that, and every client can read it. An element
// that cannot be parsed is ignored. Of several lines only the first counts (head.hpp): what it
// names is accepted for certain.
[[nodiscard]] Preference negotiate(ListField field);

}  // namespace spliced::http
