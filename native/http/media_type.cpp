// SPDX-License-Identifier: Apache-2.0
// Media types by extension; see media_type.hpp.
#include "http/media_type.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "http/response.hpp"
#include "http/syntax.hpp"

namespace spliced::http {
namespace {

constexpr std::string_view kOctetStream = "application/octet-stream";

struct Entry {
  std::string_view extension;  // lower case
  std::string_view type;
};

// Sorted by extension; the compiler checks it.
constexpr Entry kEntries[] = {
#include "http/media_types.inc"
};

constexpr bool is_sound() {
  for (size_t i = 0; i < std::size(kEntries); ++i) {
    if (i > 0 && kEntries[i - 1].extension >= kEntries[i].extension) return false;
    if (kEntries[i].type.size() > kFieldValueBytesMax) return false;
    for (const char c : kEntries[i].extension) {
      if (lower(c) != c) return false;
    }
  }
  return true;
}
static_assert(is_sound());

bool is_before(std::string_view a, std::string_view b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](char x, char y) { return lower(x) < lower(y); });
}

std::string_view extension_of(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  const size_t dot = name.rfind('.');
  return dot == std::string_view::npos || dot == 0 ? std::string_view() : name.substr(dot + 1);
}

// Null if the extension is not in the table.
const Entry* find(std::string_view path) {
  const std::string_view extension = extension_of(path);
  const Entry* found = std::lower_bound(std::begin(kEntries), std::end(kEntries), extension,
                                        [](const Entry& entry, std::string_view wanted) {
                                          return is_before(entry.extension, wanted);
                                        });
  const bool same =
      found != std::end(kEntries) && equals_ignoring_case(found->extension, extension);
  return same ? found : nullptr;
}

}  // namespace

std::string_view media_type(std::string_view path) {
  const Entry* entry = find(path);
  return entry == nullptr ? kOctetStream : entry->type;
}

bool has_known_extension(std::string_view path) {
  return find(path) != nullptr;
}

}  // namespace spliced::http
