// SPDX-License-Identifier: Apache-2.0
// See hand_over.hpp.
#include "conn/proxy/hand_over.hpp"

#include <utility>

#include "base/assert.hpp"
#include "conn/file/lookup.hpp"
#include "conn/proxy/dropped_body.hpp"
#include "conn/request/answer.hpp"
#include "conn/request/routing.hpp"
#include "conn/transport.hpp"
#include "http/syntax.hpp"

namespace spliced::conn {
namespace {

using http::HandOverFault;

void tell(Services& s, HandOverFault fault, std::string route, std::string file) {
  s.figures.hand_over_faults[static_cast<size_t>(fault)].add();
  if (s.incident_log == nullptr) return;
  const char* reason = http::kHandOverFaultNames[static_cast<size_t>(fault)];
  s.incident_log->add({"hand_over_failed", reason, std::move(route), std::move(file)});
}

Flow refuse(Services& s, Request& r, HandOverFault fault, const http::NamedFile& named) {
  tell(s, fault, "/" + r.route->prefix, std::string(named.value));
  return refuse_exchange(s, r, 502);
}

// An internal route has a directory of its own, whose path is not part of the file's.
void serve_handed(Services& s, Request& r, const http::PathBuffer& path, bool is_path,
                  bool directory) {
  const http::RequestHead request = head_of_handed(r);
  std::string_view file = path.view();
  if (!is_path) file = http::behind_prefix(*r.route, file);
  r.lookup.directory = directory;
  r.path.assign(file);
  if (directory) r.path.append(file.empty() ? "" : "/").append(r.route->index);
  if (r.path.empty() || http::is_reserved(r.path) || (directory && r.route->index.empty())) {
    fail_hand_over(s, r, request, 404);
    return end_request(r);
  }
  look_up(s, r, request);
}

}  // namespace

Flow hand_over(Services& s, Request& r, std::string_view head, const http::UpstreamHead& parsed,
               const http::NamedFile& named) {
  Exchange& x = *r.exchange;
  const http::Route& proxy = *r.route;
  const size_t head_bytes = head.size();
  http::PathBuffer path;
  const http::HandOverTarget target =
      http::find_hand_over(r.site->site->routes, proxy, x.host, named, path);
  if (target.route == nullptr) return refuse(s, r, target.fault, named);
  if (parsed.status == 204 || parsed.status == 205)
    return refuse(s, r, HandOverFault::Status, named);
  auto handed = std::make_unique<HandedOver>();
  handed->kept = http::keep_fields(head, parsed.status, parsed.reason, proxy, *target.route);
  handed->route = "/" + proxy.prefix;
  handed->file = named.value;
  handed->rate_max_bytes_per_s = proxy.rate_max_bytes_per_s;
  handed->request = std::move(x.conditions);
  const bool is_path = named.is_path();
  // From here on views of the head are invalid.
  drop_body(s, r, head_bytes, parsed, x.method);
  if (!x.request_over || x.request_given_up || s.stopping) r.keep_alive = false;
  const std::shared_ptr<OpenSite> site = r.site;
  release_exchange(s, r);
  s.figures.handed_over.add();
  r.site = site;
  r.route = target.route;
  r.handed = std::move(handed);
  serve_handed(s, r, path, is_path, target.directory);
  return Flow::Ended;
}

void fail_hand_over(Services& s, Request& r, const http::RequestHead& request, uint16_t status) {
  const std::unique_ptr<HandedOver> handed = std::move(r.handed);
  const HandOverFault fault = status == 404   ? HandOverFault::Missing
                              : status == 406 ? HandOverFault::NotTaken
                                              : HandOverFault::Unreadable;
  tell(s, fault, handed->route, handed->file);
  respond_error(s, r, status, r.keep_alive, request.method == http::Method::Get);
}

http::RequestHead head_of_handed(const Request& r) {
  http::RequestHead request;
  const http::HeadResult again = http::parse_head(r.handed->request, request);
  SPLICED_ASSERT(again.outcome == http::Outcome::Complete);
  if (r.handed->kept.status == 200) return request;
  // RFC 9110 13.2.1, 14.2: conditions and ranges apply only to what would be a 200.
  request.if_match = request.if_none_match = {};
  request.if_unmodified_since = request.if_range = request.range = {};
  return request;
}

void add_kept_fields(const Request& r, http::ResponseHead& head) {
  if (head.status != 200 && head.status != 206 && head.status != 304) return;
  const http::KeptFields& kept = r.handed->kept;
  const bool in_parts = head.status == 206 && !head.has_range;
  if (kept.status != 200) {
    head.kept_status = kept.status;
    head.kept_reason = kept.reason;
    head.etag = head.last_modified = {};
  }
  head.kept_fields = kept.lines;
  head.fields = kept.fields;
  head.kept_nosniff = kept.has_nosniff;
  if (!in_parts) head.kept_type = kept.type;
  // The backend decided who gets it, so only that client may store it, unless the backend says
  // otherwise.
  if (kept.has_cache_rule)
    head.cache_control = {};
  else if (r.route->cache_control.empty())
    head.cache_control = "private, no-cache";
}

std::string_view type_of_parts(const Request& r, std::string_view otherwise) {
  if (!r.handed || r.handed->kept.type.empty()) return otherwise;
  std::string_view type = r.handed->kept.type;
  type = http::trim(type.substr(type.find(':') + 1, type.size() - type.find(':') - 3));
  return type.size() <= http::kFieldValueBytesMax ? type : otherwise;
}

}  // namespace spliced::conn
