// SPDX-License-Identifier: Apache-2.0
// http/media_type: extension to type (RFC 9110 8.3).
#include <ostream>

#include "doctest/doctest.h"
#include "http/media_type.hpp"

using namespace spliced::http;

TEST_CASE("media type: by extension, octet-stream otherwise") {
  struct {
    const char* path;
    const char* type;
  } const rows[] = {
      {"index.html", "text/html; charset=utf-8"},
      {"a/b/STYLE.CSS", "text/css; charset=utf-8"},
      {"app.js", "text/javascript; charset=utf-8"},
      {"app.js.map", "application/json"},
      {"a.json", "application/json"},
      {"logo.svg", "image/svg+xml"},
      {"font.woff2", "font/woff2"},
      {"module.wasm", "application/wasm"},
      {"site.webmanifest", "application/manifest+json"},
      {"notes.txt", "text/plain; charset=utf-8"},
      {"a.3gp", "video/3gpp"},                           // first of the table
      {"image.wic.zst", "application/zstd"},             // last of the table
      {"worker.mjs", "text/javascript; charset=utf-8"},  // RFC 9239
      {"favicon.ico", "image/vnd.microsoft.icon"},
      {"photo.avif", "image/avif"},
      {"clip.mp4", "video/mp4"},
      {"clip.webm", "video/webm"},
      {"subtitles.vtt", "text/vtt; charset=utf-8"},
      {"feed.xml", "application/xml"},   // RFC 7303 3: it says its encoding itself
      {"api.yaml", "application/yaml"},  // RFC 9512
      {"authority.crt", "application/x-x509-ca-cert"},
      {"tree.dtb", "application/octet-stream"},  // no talking book
      {"root.tar.gz", "application/gzip"},
      {"firmware.bin", "application/octet-stream"},
      {"update.swu", "application/octet-stream"},
      {"update.raucb", "application/octet-stream"},
      {"disk.img", "application/octet-stream"},
      {"root.xz", "application/octet-stream"},
      {"unknown.zzz", "application/octet-stream"},
      {"unknown.0", "application/octet-stream"},
      {"none", "application/octet-stream"},
      {"dot.", "application/octet-stream"},
      {".html", "application/octet-stream"},  // a hidden file, not an extension
      {"a/.html", "application/octet-stream"},
      {"a.html/b", "application/octet-stream"},  // the dot is in a directory
      {"a.htmlx", "application/octet-stream"},
      {"a.\xff", "application/octet-stream"},
      {"", "application/octet-stream"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.path);
    CHECK(media_type(row.path) == row.type);
  }
}

TEST_CASE("media type: which extensions make a path a file's, not a page's") {
  for (const char* path : {"app.js", "A/B.PNG", "update.swu", "firmware.bin", "root.tar"}) {
    CAPTURE(path);
    CHECK(has_known_extension(path));
  }
  // Hosts, names and versions in an application's own paths; the whole database knows some of them.
  for (const char* path : {"hosts/device.com", "users/jane.me", "units/node1.ac", "release/1.2",
                           "page", ".html", "", "a.js/b"}) {
    CAPTURE(path);
    CHECK_FALSE(has_known_extension(path));
  }
}
