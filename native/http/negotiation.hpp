// SPDX-License-Identifier: Apache-2.0
// Which content codings a client takes (RFC 9110 12.5.3), in the order in which siblings of a file
// are looked for. Called by conn's lookup for each request of a file. Pure, no allocation.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/fields.hpp"

namespace spliced::http {

// In our own order of preference, where the client has none: what is smallest first.
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
  Coding order[kCodings] = {};  // the best first: each is better than the file as it is
  size_t count = 0;
  bool identity = true;  // the file as it is may be sent; if not, and no sibling is there: 406
};

// `field` is the Accept-Encoding of the request; without one (data() is nullptr) nothing but the
// file as it is, which RFC 9110 allows and no client can misread. An element that cannot be read is
// left out. Of several lines only the first counts (head.hpp): what it names is taken for certain.
[[nodiscard]] Preference negotiate(ListField field);

}  // namespace spliced::http
