// SPDX-License-Identifier: Apache-2.0
// The media type (RFC 9110 8.3) of a file by its extension. Called when a file is opened. The types
// are those of mime-db, registered with IANA except for a few that browsers know by another name;
// scripts/media-types.mjs says which, and chooses the extensions. Any other file, such as a
// firmware image, is application/octet-stream. Text is UTF-8; JSON and XML declare their encoding
// themselves.
#pragma once
#include <string_view>

namespace spliced::http {

// `path` is as resolve_target made it. The extension is what follows the last dot of the last
// segment, if something precedes that dot. Case is ignored. Static storage.
std::string_view media_type(std::string_view path);

// Whether the table has the extension. Such a path names a file, not a page of an application.
bool has_known_extension(std::string_view path);

}  // namespace spliced::http
