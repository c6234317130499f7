// SPDX-License-Identifier: Apache-2.0
// http/asset_name: names with a hash of the content, and names that only look so.
#include <ostream>

#include "doctest/doctest.h"
#include "http/asset_name.hpp"

using spliced::http::has_content_hash;

TEST_CASE("asset names: a hash of the content") {
  for (const char* name : {
           "app.3f9a1c2b.js",                // Parcel, webpack [contenthash:8]
           "main.0f1e2d3c4b5a69788796.css",  // webpack
           "assets/chunk-5T2ZQ3GB.js",       // esbuild
           "assets/index-B4xK9a2d.js",       // Vite
           "a/b/logo-1a2b3c4d5e6f.svg",
           "app.3f9a1c2b.js.map",
           "vendor.3f9a1c2b.chunk.js",  // create-react-app
           "d41d8cd9-8f00b204e980.bin",
       }) {
    CAPTURE(name);
    CHECK(has_content_hash(name));
  }
}

TEST_CASE("asset names: stable ones, also where they look like it") {
  for (const char* name : {
           "index.html",
           "app.js",
           "",
           "/",
           "3f9a1c2b",
           "3f9a1c2b.js",
           "app-3f9a1c2b",
           ".3f9a1c2b.js",
           "jquery-3.7.1.min.js",
           "user-settings.js",
           "report-20240101.pdf",
           "manual-2024-01-01.pdf",
           "part-deadbeef.js",
           "app-RELEASE2.js",
           "icon-iPhone4s.png",
           "setup-Win32App.exe",
           "spliced-1.2.3-armv7l.deb",
           "firmware-imx8mp.swu",
           "README-translated.md",
           "3f9a1c2b/app.js",
           "photo.IMG20240.jpg",
           "a-b.js",
           "font-awesome-solid-900.woff2",
       }) {
    CAPTURE(name);
    CHECK_FALSE(has_content_hash(name));
  }
}
