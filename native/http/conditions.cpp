// SPDX-License-Identifier: Apache-2.0
// Conditional requests; see conditions.hpp.
#include "http/conditions.hpp"

#include "http/date.hpp"
#include "http/syntax.hpp"

namespace spliced::http {
namespace {

enum class Comparison : uint8_t { Strong, Weak };  // RFC 9110 8.8.3.2

bool present(std::string_view field) {
  return field.data() != nullptr;
}

// etagc, RFC 9110 8.8.3: no space, no quote, no control; obs-text is allowed.
bool is_etag_char(char c) {
  return c != '"' && c != ' ' && !is_control(c);
}

// Removes one entity-tag from the front of `list`: the opaque-tag with its quotes, and whether it
// is weak ("W/" is case-sensitive). False if there is none.
bool take_etag(std::string_view& list, std::string_view& opaque, bool& weak) {
  weak = list.substr(0, 2) == "W/";
  if (weak) list.remove_prefix(2);
  if (list.empty() || list.front() != '"') return false;
  size_t end = 1;
  while (end < list.size() && is_etag_char(list[end])) ++end;
  if (end == list.size() || list[end] != '"') return false;
  opaque = list.substr(0, end + 1);
  list.remove_prefix(end + 1);
  return true;
}

// A comma may stand inside an entity-tag, so the line is parsed, not split. `sane` becomes false
// where parsing fails.
bool line_matches(std::string_view list, std::string_view etag, Comparison comparison, bool& sane) {
  while (!list.empty()) {
    if (list.front() == ',') {  // RFC 9110 5.6.1.2: empty elements are allowed
      list = trim(list.substr(1));
      continue;
    }
    std::string_view opaque;
    bool weak = false;
    sane = take_etag(list, opaque, weak);
    if (!sane) return false;
    list = trim(list);
    sane = list.empty() || list.front() == ',';
    if (!sane) return false;
    if (opaque == etag && (!weak || comparison == Comparison::Weak)) return true;
  }
  return false;
}

bool list_matches(ListField list, std::string_view etag, Comparison comparison) {
  if (trim(list.text) == "*") return true;  // the file exists
  std::string_view line;
  bool sane = true;
  while (sane && take_line(list, line))
    if (line_matches(line, etag, comparison, sane)) return true;
  return false;
}

// Steps 1 and 2 of RFC 9110 13.2.2.
bool precondition_holds(const RequestHead& request, const Validators& current, int64_t now_s) {
  if (request.if_match.is_present()) {
    return list_matches(request.if_match, current.etag, Comparison::Strong);
  }
  if (!present(request.if_unmodified_since)) return true;
  const auto date = parse_date(request.if_unmodified_since, now_s);
  return !date || current.last_modified_s <= *date;
}

// Step 3: whether the client's copy is current. No date proves it.
bool client_copy_is_good(const RequestHead& request, const Validators& current) {
  return request.if_none_match.is_present() &&
         list_matches(request.if_none_match, current.etag, Comparison::Weak);
}

}  // namespace

Verdict evaluate(const RequestHead& request, const Validators& current, int64_t now_s) {
  if (!precondition_holds(request, current, now_s)) return Verdict::PreconditionFailed;
  if (!client_copy_is_good(request, current)) return Verdict::Send;
  return retrieves(request.method) ? Verdict::NotModified : Verdict::PreconditionFailed;
}

bool range_applies(const RequestHead& request, const Validators& current) {
  if (request.method != Method::Get || !present(request.range)) return false;
  // If-Unmodified-Since has not failed, but proves nothing, so no part of a file is sent that may
  // have changed.
  if (present(request.if_unmodified_since) && !request.if_match.is_present()) return false;
  if (!present(request.if_range)) return true;
  return !current.etag.empty() && current.etag.front() == '"' && request.if_range == current.etag;
}

}  // namespace spliced::http
