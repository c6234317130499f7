// SPDX-License-Identifier: Apache-2.0
// Which rule of the configuration a request falls under, by host, path and method. Filled by
// engine/ when the configuration is read, then immutable; asked by conn's request for every request
// with what head.hpp and target.hpp have read, so that no other spelling goes around a route.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "http/head.hpp"
#include "http/path_prefixes.hpp"

namespace spliced::http {

// The service's own paths, and the directory in a root that `spliced pack` keeps for itself.
inline constexpr std::string_view kReservedPrefix = ".spliced";
bool is_reserved(std::string_view path);

enum class Action : uint8_t { Static, Redirect, Respond, Proxy };

using Methods = uint16_t;  // a bit for each Method
constexpr Methods bit_of(Method method) {
  return static_cast<Methods>(1u << static_cast<unsigned>(method));
}
inline constexpr Methods kProxied =
    bit_of(Method::Get) | bit_of(Method::Head) | bit_of(Method::Options) | bit_of(Method::Post) |
    bit_of(Method::Put) | bit_of(Method::Delete) | bit_of(Method::Patch);
inline constexpr Methods kRetrieval = bit_of(Method::Get) | bit_of(Method::Head);

struct Route {
  // What it is about.
  std::string host;              // lower case, without a port; empty: any
  std::string prefix;            // whole segments, without slashes at the ends; empty: any path
  Methods methods = kRetrieval;  // with Get always Head

  Action action = Action::Static;
  bool needs_certificate = false;
  std::string
      fields;  // whole header lines that go into every response, at most kRouteFieldsBytesMax

  // Static.
  size_t directory = 0;       // index into the site's
  bool mounted = false;       // the prefix is no part of the file's path
  std::string index;          // of a directory; empty: it has none
  std::string fallback;       // for what is not there and is no asset; empty: none
  std::string not_found;      // page of a 404; empty: one line of text
  std::string cache_control;  // empty: by the file's name, see asset_name.hpp
  PathPrefixes immutable;     // below, names are hashed whatever they look like
  bool variants = true;       // siblings by Accept-Encoding
  bool internal = false;      // not for clients: for files that a backend hands over
  std::string root;           // of a mounted route: its directory's absolute path

  // Redirect and Respond.
  uint16_t status = 0;
  std::string location;
  bool keep_path = false;  // what follows the prefix, and the query, go behind the location
  std::string content_type, body;

  // Proxy.
  std::string upstream;  // as os/upstream_socket.hpp reads it
  uint32_t connect_timeout_ms = limits::kConnectTimeoutMsDefault;
  uint32_t response_timeout_ms = limits::kResponseTimeoutMsDefault;
  uint32_t stream_timeout_ms = limits::kStreamTimeoutMsDefault;
  PathPrefixes accelerate;  // internal routes that the backend may name, see hand_over.hpp

  // Whatever the action: who is asked first (conn/request/check.hpp), as `upstream`; empty: nobody.
  std::string check;
  std::string check_path;                 // its path, with a query if it has one
  std::vector<std::string> check_fields;  // of its answer, for the backend
  uint32_t check_timeout_ms = limits::kCheckTimeoutMsDefault;
  uint32_t check_remember_ms = 0;    // how long an answer that lets pass is good; 0: once
  bool check_spares_tokens = false;  // a request with a bearer token is the backend's to judge
  uint64_t rate_max_bytes_per_s = 0;  // of one connection; 0: as fast as it goes
};

// Of a host as a Host field has it: without the port, and without the root's dot, which means the
// same host (RFC 9110 7.2, RFC 1034 3.1). An IPv6 address keeps its brackets.
std::string_view host_name(std::string_view host);
// The route is for this host, as a Host field has it, or for any.
bool fits_host(const Route& route, std::string_view host);
// What of the path follows the route's prefix.
std::string_view behind_prefix(const Route& route, std::string_view path);

class Routes {
 public:
  // Null, or why the route cannot be.
  [[nodiscard]] const char* add(Route route);

  struct Match {
    const Route* route;  // null: there is none
    Methods allowed;     // of all routes for this host and path: not 0 makes it a 405
  };
  // `host` as a Host field has it, or empty; `path` as resolve_target() gives it. Of the routes
  // that fit, one with a host goes before one without, then the longest prefix, then the fewest
  // methods. What an internal route has is nowhere for a client, whatever a route with a host, or
  // for another method, has at a shorter path.
  Match find(std::string_view host, std::string_view path, Method method) const;
  // The internal route of the path, or null.
  const Route* find_internal(std::string_view host, std::string_view path) const;
  const std::vector<Route>& all() const { return routes_; }

 private:
  std::vector<Route> routes_;  // the first that fits is the one
};

// "GET, HEAD, OPTIONS": the value of Allow. At most kAllowBytesMax.
size_t format_allow(Methods methods, char* out);

// A token of a header field's name and a value without control characters; false for the fields
// that the server itself decides on (framing, Date, validators and so on).
bool is_settable_field(std::string_view name, std::string_view value);

// `base`, then `path` with everything encoded that could mean something else than a name (also "\",
// which browsers take for "/"), then what follows the "?" of `target`. The bytes written, 0 if they
// are more than limits::kLocationBytesMax.
size_t format_location(std::string_view base, std::string_view path, std::string_view target,
                       char* out);

}  // namespace spliced::http
