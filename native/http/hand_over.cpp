// SPDX-License-Identifier: Apache-2.0
// See hand_over.hpp.
#include "http/hand_over.hpp"

#include "http/fields.hpp"
#include "http/syntax.hpp"
#include "http/upstream_request.hpp"

namespace spliced::http {
namespace {

constexpr std::string_view kAccel = "X-Accel-Redirect";
constexpr std::string_view kSendfile = "X-Sendfile";

bool begins_with(std::string_view name, std::string_view prefix) {
  return equals_ignoring_case(name.substr(0, prefix.size()), prefix);
}

bool is_one_of(std::string_view name, const std::string_view* names, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (equals_ignoring_case(name, names[i])) return true;
  return false;
}

// Fields that describe the dropped body, or that are written anew.
bool gives_way(std::string_view name) {
  static constexpr std::string_view kNames[] = {
      "accept-ranges", "content-digest", "content-encoding", "content-length", "content-md5",
      "content-range", "date",           "digest",           "etag",           "last-modified",
      "repr-digest",
  };
  return is_one_of(name, kNames, sizeof kNames / sizeof *kNames) || is_hand_over_field(name);
}

void add_line(std::string& lines, std::string_view name, std::string_view value) {
  lines.append(name).append(": ").append(value).append("\r\n");
}

// The lines of `from` whose names do not occur in `lines`.
std::string others(std::string_view from, std::string_view lines) {
  std::string left;
  while (!from.empty()) {
    const size_t end = from.find("\r\n") + 2;
    const std::string_view line = from.substr(0, end);
    if (!lines_have(lines, line.substr(0, line.find(':')))) left.append(line);
    from.remove_prefix(end);
  }
  return left;
}

// The part of an absolute path behind `root`. Null: it is not below `root`, or has another
// spelling.
bool path_below(std::string_view root, std::string_view path, PathBuffer& out) {
  out.truncate(0);
  while (!root.empty() && root.back() == '/') root.remove_suffix(1);
  if (path.substr(0, root.size()) != root) return false;
  path.remove_prefix(root.size());
  if (path.empty() || path.front() != '/') return false;
  path.remove_prefix(1);
  for (size_t at = 0; at <= path.size();) {
    const size_t end = path.find('/', at);
    const std::string_view segment = path.substr(at, end - at);
    if (segment.empty() || segment == "." || segment == "..") return false;
    for (const char c : segment)
      if (is_control(c)) return false;
    if (end == std::string_view::npos) break;
    at = end + 1;
  }
  return out.append(path);
}

bool is_allowed(const Route& proxy, const Route& internal) {
  return proxy.accelerate.cover(internal.prefix);
}

HandOverTarget by_path(const Routes& routes, const Route& proxy, std::string_view host,
                       std::string_view value, PathBuffer& out) {
  HandOverTarget target;
  if (value.empty() || value.front() != '/') return target;
  target.fault = HandOverFault::NotAllowed;
  for (const Route& route : routes.all()) {
    if (!route.internal || !is_allowed(proxy, route) || !fits_host(route, host)) continue;
    if (!path_below(route.root, value, out) || is_reserved(out.view())) continue;
    target.route = &route;
    return target;
  }
  out.truncate(0);
  return target;
}

HandOverTarget by_target(const Routes& routes, const Route& proxy, std::string_view host,
                         std::string_view value, PathBuffer& out) {
  HandOverTarget target;
  if (value.empty() || value.front() != '/') return target;
  const TargetResult resolved = resolve_target(value, out);
  if (resolved.status != 0 || is_ambiguous_path(value)) return target;
  target.fault = HandOverFault::NotAllowed;
  const Route* route = routes.find_internal(host, out.view());
  if (route == nullptr || !is_allowed(proxy, *route)) return target;
  target.route = route;
  target.directory = resolved.directory;
  return target;
}

}  // namespace

const char* const kHandOverFaultNames[kHandOverFaults] = {
    "bad_field", "not_allowed", "bad_status", "missing", "not_acceptable", "unreadable"};

bool is_hand_over_field(std::string_view name) {
  return begins_with(name, kSendfile) || equals_ignoring_case(name, kAccel) ||
         equals_ignoring_case(name, "X-Accel-Mapping");
}

NamedFile find_named_file(std::string_view head) {
  NamedFile named;
  Fields fields(head);
  std::string_view name, value;
  while (fields.next(name, value)) {
    for (const std::string_view known : {kAccel, kSendfile}) {
      if (!equals_ignoring_case(name, known)) continue;
      named.repeated = !named.field.empty();
      named.field = known;
      named.value = value;
    }
    if (named.repeated) break;
  }
  return named;
}

HandOverTarget find_hand_over(const Routes& routes, const Route& proxy, std::string_view host,
                              const NamedFile& named, PathBuffer& out) {
  if (named.repeated) return {};
  return named.is_path() ? by_path(routes, proxy, host, named.value, out)
                         : by_target(routes, proxy, host, named.value, out);
}

KeptFields keep_fields(std::string_view head, uint16_t status, std::string_view reason,
                       const Route& proxy, const Route& internal) {
  KeptFields kept;
  // The file's validators decide whether and which bytes are sent, not those of the dropped body.
  kept.status = status == 206 || status == 304 ? 200 : status;
  kept.reason = reason;
  Fields fields(head);
  std::string_view name, value;
  while (fields.next(name, value)) {
    if (is_hop_by_hop(name) || gives_way(name) || lines_have(proxy.fields, name)) continue;
    if (connection_names(head, name)) continue;
    if (equals_ignoring_case(name, "content-type")) {
      kept.type.clear();
      if (!value.empty()) add_line(kept.type, name, value);
    } else {
      add_line(kept.lines, name, value);
    }
  }
  kept.lines += proxy.fields;
  kept.fields = others(internal.fields, kept.lines);
  kept.has_cache_rule =
      lines_have(kept.lines, "Cache-Control") || lines_have(kept.lines, "Expires");
  kept.has_nosniff = lines_have(kept.lines, "X-Content-Type-Options");
  return kept;
}

std::string keep_request(std::string_view head, Method method) {
  static constexpr std::string_view kNames[] = {
      "accept-encoding", "if-match", "if-none-match", "if-range", "if-unmodified-since", "range",
  };
  std::string kept(method == Method::Head ? "HEAD" : "GET");
  kept += " / HTTP/1.1\r\nHost: _\r\n";
  // RFC 9110 13.2.1, 14.2: conditions and ranges apply to GET and HEAD alone.
  const bool retrieves_it = retrieves(method);
  Fields fields(head);
  std::string_view name, value;
  while (fields.next(name, value)) {
    if (!is_one_of(name, kNames, sizeof kNames / sizeof *kNames)) continue;
    if (retrieves_it || equals_ignoring_case(name, kNames[0])) add_line(kept, name, value);
  }
  return kept + "\r\n";
}

}  // namespace spliced::http
