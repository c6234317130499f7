// SPDX-License-Identifier: Apache-2.0
// See routes.hpp.
#include "http/routes.hpp"

#include <algorithm>
#include <bitset>
#include <iterator>
#include <tuple>

#include "http/response.hpp"
#include "http/writer.hpp"

namespace spliced::http {
namespace {

constexpr struct {
  Method method;
  std::string_view name;
} kMethodNames[] = {
    {Method::Get, "GET"},         {Method::Head, "HEAD"},   {Method::Post, "POST"},
    {Method::Put, "PUT"},         {Method::Patch, "PATCH"}, {Method::Delete, "DELETE"},
    {Method::Options, "OPTIONS"},
};

bool covers(std::string_view prefix, std::string_view path) {
  if (prefix.empty()) return true;
  if (path.substr(0, prefix.size()) != prefix) return false;
  return path.size() == prefix.size() || path[prefix.size()] == '/';
}

// The smaller rank comes first.
auto rank(const Route& route) {
  return std::make_tuple(route.host.empty(), SIZE_MAX - route.prefix.size(),
                         std::bitset<16>(route.methods).count());
}

const char* fault_of(const Route& route) {
  if (route.fields.size() > limits::kRouteFieldsBytesMax) return "its header fields are too long";
  if (route.body.size() > limits::kRouteBodyBytesMax) return "its body is too long";
  if (route.location.size() > limits::kLocationBytesMax) return "its location is too long";
  if (route.content_type.size() > kFieldValueBytesMax) return "its content type is too long";
  if (route.cache_control.size() > kFieldValueBytesMax) return "its cache rule is too long";
  for (const std::string* text : {&route.location, &route.content_type, &route.cache_control})
    for (const char c : *text)
      if (is_control(c)) return "a value has a control character";
  if (route.internal && (route.action != Action::Static || !route.mounted))
    return "an internal route has files of a directory of its own";
  if (!route.check.empty() &&
      (route.internal || route.check_path.empty() || route.check_path[0] != '/'))
    return "its check has no path, or nobody asks for the route";
  for (const char c : route.check_path)
    if (!is_visible(c)) return "the path of its check is none";
  for (const std::string& name : route.check_fields)
    if (!is_token(name)) return "a field of its check has no name";
  const bool answers = route.action == Action::Redirect || route.action == Action::Respond;
  if (answers && error_body(route.status).empty()) return "its status is not known here";
  return nullptr;
}

}  // namespace

bool is_reserved(std::string_view path) {
  return covers(kReservedPrefix, path);
}

std::string_view host_name(std::string_view host) {
  const size_t from = !host.empty() && host.front() == '[' ? host.find(']') : 0;
  host = host.substr(0, host.find(':', from == std::string_view::npos ? 0 : from));
  if (host.size() > 1 && host.back() == '.') host.remove_suffix(1);
  return host;
}

bool fits_host(const Route& route, std::string_view host) {
  return route.host.empty() || equals_ignoring_case(route.host, host_name(host));
}

std::string_view behind_prefix(const Route& route, std::string_view path) {
  path.remove_prefix(route.prefix.size());
  if (!route.prefix.empty() && !path.empty()) path.remove_prefix(1);
  return path;
}

const char* Routes::add(Route route) {
  if (routes_.size() >= limits::kRoutesMax) return "there are too many routes";
  if (const char* fault = fault_of(route)) return fault;
  if ((route.methods & bit_of(Method::Get)) != 0) route.methods |= bit_of(Method::Head);
  const auto place =
      std::upper_bound(routes_.begin(), routes_.end(), route,
                       [](const Route& a, const Route& b) { return rank(a) < rank(b); });
  routes_.insert(place, std::move(route));
  return nullptr;
}

Routes::Match Routes::find(std::string_view host, std::string_view path, Method method) const {
  const Route* hidden = find_internal(host, path);
  const size_t hidden_bytes = hidden != nullptr ? hidden->prefix.size() : 0;
  Methods allowed = 0;
  for (const Route& route : routes_) {
    if (route.internal || !fits_host(route, host) || !covers(route.prefix, path)) continue;
    if (hidden != nullptr && route.prefix.size() <= hidden_bytes) continue;
    if ((route.methods & bit_of(method)) != 0) return {&route, route.methods};
    allowed |= route.methods;
  }
  return {nullptr, allowed};
}

const Route* Routes::find_internal(std::string_view host, std::string_view path) const {
  const Route* longest = nullptr;
  for (const Route& route : routes_) {
    if (!route.internal || !fits_host(route, host) || !covers(route.prefix, path)) continue;
    if (longest == nullptr || route.prefix.size() > longest->prefix.size()) longest = &route;
  }
  return longest;
}

size_t format_allow(Methods methods, char* out) {
  Writer writer(out, kAllowBytesMax);
  methods |= bit_of(Method::Options);
  bool first = true;
  for (const auto& [method, name] : kMethodNames) {
    if ((methods & bit_of(method)) == 0) continue;
    if (!first) writer.text(", ");
    writer.text(name);
    first = false;
  }
  return writer.size();
}

bool is_settable_field(std::string_view name, std::string_view value) {
  static constexpr std::string_view kOurs[] = {"accept-ranges",
                                               "allow",
                                               "cache-control",
                                               "connection",
                                               "content-encoding",
                                               "content-length",
                                               "content-range",
                                               "content-type",
                                               "date",
                                               "etag",
                                               "keep-alive",
                                               "last-modified",
                                               "location",
                                               "trailer",
                                               "transfer-encoding",
                                               "upgrade",
                                               "vary",
                                               "x-content-type-options"};
  for (const std::string_view ours : kOurs)
    if (equals_ignoring_case(name, ours)) return false;
  for (const char c : value)
    if (is_control(c)) return false;
  return is_token(name) && !value.empty();
}

size_t format_location(std::string_view base, std::string_view path, std::string_view target,
                       char* out) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  Writer writer(out, limits::kLocationBytesMax);
  writer.text(base);
  for (const char c : path) {
    // RFC 3986 2.3: unreserved characters, and the slash between segments, stay as they are.
    if (is_alpha(c) || is_digit(c) || std::string_view("-._~/").find(c) != std::string_view::npos) {
      writer.text({&c, 1});
    } else {
      const auto byte = static_cast<unsigned char>(c);
      const char escape[] = {'%', kDigits[byte >> 4], kDigits[byte & 15]};
      writer.text({escape, sizeof escape});
    }
  }
  const size_t query = target.find('?');
  if (query != std::string_view::npos) writer.text(target.substr(query));
  return writer.size();
}

}  // namespace spliced::http
