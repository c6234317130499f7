// SPDX-License-Identifier: Apache-2.0
// The media type (RFC 9110 8.3) of a file by its extension. Called when a file is opened. The types
// are those of mime-db, registered with IANA but for a few that browsers know by another name;
// scripts/media-types.mjs says which and chooses the extensions. What has no type, such as firmware
// images, is application/octet-stream. Text is UTF-8; JSON and XML say their encoding themselves.
#pragma once
#include <string_view>

namespace spliced::http {

// `path` as resolve_target made it. The extension is what follows the last dot of the last segment
// if something precedes that dot; upper and lower case are the same. Static storage.
std::string_view media_type(std::string_view path);

// Whether the extension is in the table: then the path names a file, not a page of an application.
bool has_known_extension(std::string_view path);

}  // namespace spliced::http
