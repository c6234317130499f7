// SPDX-License-Identifier: Apache-2.0
// Decides by a file's name how long clients may keep a copy. Bundlers put a hash of the content
// into names, and such a file never changes. A stable name that is taken for a hashed one would
// keep an old file alive for a year. The opposite mistake costs a 304. So a doubtful name counts as
// stable.
#pragma once
#include <string_view>

namespace spliced::http {

// Whether the last segment of `path` has a content hash behind "." or "-" and before its
// extension(s): at least 8 lower-case hexadecimal digits ("app.3f9a1c2b.js"), 8 characters of
// upper-case base32 (esbuild), or at least 8 of base64url with many changes between upper case,
// lower case and digits (Rollup, Vite). In each, a digit must come before a letter:
// "report-20240101.pdf", "part-deadbeef.js" and "app-RELEASE2.js" are stable.
bool has_content_hash(std::string_view path);

}  // namespace spliced::http
