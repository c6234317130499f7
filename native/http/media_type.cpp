// SPDX-License-Identifier: Apache-2.0
// Media types by extension; see media_type.hpp.
#include "http/media_type.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>

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
    {"aac", "audio/aac"},
    {"avif", "image/avif"},
    {"bin", kOctetStream},
    {"bmp", "image/bmp"},
    {"cer", "application/pkix-cert"},
    {"cjs", "text/javascript; charset=utf-8"},
    {"conf", "text/plain; charset=utf-8"},
    {"crl", "application/pkix-crl"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"deb", "application/vnd.debian.binary-package"},
    {"dtb", kOctetStream},
    {"eot", "application/vnd.ms-fontobject"},
    {"ext4", kOctetStream},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/vnd.microsoft.icon"},
    {"img", kOctetStream},
    {"itb", kOctetStream},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"jsonld", "application/ld+json"},
    {"log", "text/plain; charset=utf-8"},
    {"m4a", "audio/mp4"},
    {"m4v", "video/mp4"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"raucb", kOctetStream},
    {"rtf", "text/rtf"},
    {"sig", kOctetStream},
    {"svg", "image/svg+xml"},
    {"swu", kOctetStream},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"ubi", kOctetStream},
    {"vtt", "text/vtt; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"wic", kOctetStream},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xhtml", "application/xhtml+xml; charset=utf-8"},
    {"xml", "application/xml; charset=utf-8"},
    {"xz", kOctetStream},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"zip", "application/zip"},
    {"zst", "application/zstd"},
};

constexpr bool is_sorted_and_lower() {
  for (size_t i = 0; i < std::size(kEntries); ++i) {
    if (i > 0 && kEntries[i - 1].extension >= kEntries[i].extension) return false;
    for (const char c : kEntries[i].extension) {
      if (lower(c) != c) return false;
    }
  }
  return true;
}
static_assert(is_sorted_and_lower());

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
