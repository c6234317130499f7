// SPDX-License-Identifier: Apache-2.0
// What a file's name says about how long a copy of it may be kept. Bundlers put a hash of the
// content into names: such a file never changes. To take a stable name for a hashed one would keep
// old files alive for a year, and the other way round costs a 304: so in doubt it is stable.
#pragma once
#include <string_view>

namespace spliced::http {

// Whether the last segment of `path` has a content hash behind "." or "-" and before its
// extension(s): at least 8 hexadecimal digits in lower case ("app.3f9a1c2b.js"), 8 of base32 in
// upper case (esbuild), or 8 and more of base64url with many changes between upper case, lower case
// and digits (Rollup, Vite). In each a digit has to come before a letter: "report-20240101.pdf",
// "part-deadbeef.js" and "app-RELEASE2.js" are stable.
bool has_content_hash(std::string_view path);

}  // namespace spliced::http
