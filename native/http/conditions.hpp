// SPDX-License-Identifier: Apache-2.0
// Conditional requests (RFC 9110 13): evaluates a request's If-* fields against the file as it is
// now. Called by conn's respond when the file is open and its validators are known. Pure.
//
// A date never proves that two files are the same: it has whole seconds (RFC 9110 8.8.2.2), images
// give every file one date (SOURCE_DATE_EPOCH), and an update or a rollback brings files of any
// date. So If-Modified-Since is ignored, If-Range matches by entity-tag alone, and
// If-Unmodified-Since fails only if the file's date is later, which is certain: 412.
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

// Evaluates in the order of RFC 9110 13.2.2. A date that cannot be parsed is ignored. An entity-tag
// list that cannot be parsed matches nothing from its fault on. `now_s` is for two-digit years, see
// date.hpp.
[[nodiscard]] Verdict evaluate(const RequestHead& request, const Validators& current,
                               int64_t now_s);

// Whether the Range field applies: the method is GET (RFC 9110 14.2), and If-Range, if present,
// names the current file by its strong entity-tag (13.1.5). With If-Unmodified-Since the whole file
// is sent. To be called after evaluate() returned Send.
[[nodiscard]] bool range_applies(const RequestHead& request, const Validators& current);

}  // namespace spliced::http
