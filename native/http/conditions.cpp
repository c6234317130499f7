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

// Takes one entity-tag off the front of `list`: its opaque-tag with the quotes, and whether it is
// weak ("W/" is case-sensitive). False if there is none.
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

// A comma may stand inside an entity-tag, so the list is not split but read.
bool list_matches(std::string_view list, std::string_view etag, Comparison comparison) {
  list = trim(list);
  if (list == "*") return true;  // the file is there
  while (!list.empty()) {
    if (list.front() == ',') {  // RFC 9110 5.6.1.2: empty elements are allowed
      list = trim(list.substr(1));
      continue;
    }
    std::string_view opaque;
    bool weak = false;
    if (!take_etag(list, opaque, weak)) return false;
    list = trim(list);
    if (!list.empty() && list.front() != ',') return false;
    if (opaque == etag && (!weak || comparison == Comparison::Weak)) return true;
  }
  return false;
}

// The first two steps of RFC 9110 13.2.2.
bool precondition_holds(const RequestHead& request, const Validators& current, int64_t now_s) {
  if (present(request.if_match)) {
    return list_matches(request.if_match, current.etag, Comparison::Strong);
  }
  if (!present(request.if_unmodified_since)) return true;
  const auto date = parse_date(request.if_unmodified_since, now_s);
  return !date || current.last_modified_s <= *date;
}

// The next two steps: is what the client has still good?
bool client_copy_is_good(const RequestHead& request, const Validators& current, int64_t now_s) {
  if (present(request.if_none_match)) {
    return list_matches(request.if_none_match, current.etag, Comparison::Weak);
  }
  // RFC 9110 13.1.3: If-Modified-Since is for GET and HEAD.
  if (!present(request.if_modified_since) || !retrieves(request.method)) return false;
  const auto date = parse_date(request.if_modified_since, now_s);
  return date && current.last_modified_s <= *date;
}

}  // namespace

Verdict evaluate(const RequestHead& request, const Validators& current, int64_t now_s) {
  if (!precondition_holds(request, current, now_s)) return Verdict::PreconditionFailed;
  if (!client_copy_is_good(request, current, now_s)) return Verdict::Send;
  return retrieves(request.method) ? Verdict::NotModified : Verdict::PreconditionFailed;
}

bool range_applies(const RequestHead& request, const Validators& current) {
  if (request.method != Method::Get || !present(request.range)) return false;
  if (!present(request.if_range)) return true;
  if (request.if_range.empty()) return false;
  if (request.if_range == current.etag) return current.etag.front() == '"';
  return request.if_range == format_date(current.last_modified_s).view();
}

}  // namespace spliced::http
