// SPDX-License-Identifier: Apache-2.0
// Conditional requests (RFC 9110 13): what the If-* fields of a request mean for the file as it is
// now. Called by conn's respond when the file is open and its validators are known. Pure.
//
// A date never says that two files are the same. It has whole seconds (RFC 9110 8.8.2.2), images
// give every file one date (SOURCE_DATE_EPOCH), and an update or its undoing brings files of any
// date. So If-Modified-Since is not read, If-Range matches only by the entity-tag, and
// If-Unmodified-Since only fails where that is certain: the file's date is later, so 412.
#pragma once
#include <cstdint>
#include <string_view>

#include "http/head.hpp"

namespace spliced::http {

struct Validators {
  std::string_view etag;  // strong, with its quotes; empty if there is none
  int64_t last_modified_s = 0;
};

enum class Verdict : uint8_t { Send, NotModified, PreconditionFailed };

// In the order of RFC 9110 13.2.2. A date that cannot be read is ignored, an entity-tag list that
// cannot be read matches nothing from its fault on. `now_s` is for two-digit years, see date.hpp.
[[nodiscard]] Verdict evaluate(const RequestHead& request, const Validators& current,
                               int64_t now_s);

// True if there is a Range to look at: the method is GET (RFC 9110 14.2) and If-Range, if there is
// one, names exactly the file as it is now (13.1.5), by its strong entity-tag. Beside an
// If-Unmodified-Since the whole file is sent. To be asked after evaluate() said Send.
[[nodiscard]] bool range_applies(const RequestHead& request, const Validators& current);

}  // namespace spliced::http
