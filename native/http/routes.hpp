// SPDX-License-Identifier: Apache-2.0
// Finds the route of a request by host, path and method. engine/ fills it when the configuration is
// read; then it is immutable. conn's request asks it for every request, with what head.hpp and
// target.hpp have parsed, so that no other spelling evades a route.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "http/head.hpp"
#include "http/path_prefixes.hpp"

namespace spliced::http {

// The service's own paths, and the directory of a root in which `spliced pack` keeps its own files.
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
  // What it applies to.
  std::string host;              // lower case, without a port; empty: every host
  std::string prefix;            // whole segments, without slashes at the ends; empty: every path
  Methods methods = kRetrieval;  // Get includes Head

  Action action = Action::Static;
  bool needs_certificate = false;
  std::string
      fields;  // whole header lines that go into every response, at most kRouteFieldsBytesMax

  // Static.
  size_t directory = 0;       // index into the site's
  bool mounted = false;       // the prefix is not part of the file's path
  std::string index;          // file name for a directory; empty: none
  std::string fallback;       // sent for a missing path that is no asset; empty: none
  std::string not_found;      // page of a 404; empty: one line of text
  std::string cache_control;  // empty: by the file's name, see asset_name.hpp
  PathPrefixes immutable;     // below these, every name counts as hashed
  bool variants = true;       // look for siblings by Accept-Encoding
  bool internal = false;      // only for files that a backend hands over, not for clients
  std::string root;           // absolute path of a mounted route's directory

  // Redirect and Respond.
  uint16_t status = 0;
  std::string location;
  bool keep_path = false;  // append what follows the prefix, and the query, to the location
  std::string content_type, body;

  // Proxy.
  std::string upstream;  // as os/upstream_socket.hpp reads it
  uint32_t connect_timeout_ms = limits::kConnectTimeoutMsDefault;
  uint32_t response_timeout_ms = limits::kResponseTimeoutMsDefault;
  uint32_t stream_timeout_ms = limits::kStreamTimeoutMsDefault;
  PathPrefixes accelerate;  // internal routes that the backend may name, see hand_over.hpp

  // For every action: the application that authorizes requests (conn/proxy/check.hpp), an address
  // as `upstream`; empty: none.
  std::string check;
  std::string check_path;                 // path of the check, perhaps with a query
  std::vector<std::string> check_fields;  // fields of its answer that the backend gets
  uint32_t check_timeout_ms = limits::kCheckTimeoutMsDefault;
  uint32_t check_remember_ms = 0;     // how long a positive answer is valid; 0: for one request
  bool check_spares_tokens = false;   // requests with a bearer token go to the backend unchecked
  bool check_falls_back = false;      // without an answer it goes on: backend and page have a guard
  uint64_t rate_max_bytes_per_s = 0;  // for one connection; 0: no limit
};

// The host of a Host field: without the port and without the root's final dot, which means the same
// host (RFC 9110 7.2, RFC 1034 3.1). An IPv6 address keeps its brackets.
std::string_view host_name(std::string_view host);
// Whether the route is for this host (a Host field), or for every host.
bool fits_host(const Route& route, std::string_view host);
// The rest of the path behind the route's prefix.
std::string_view behind_prefix(const Route& route, std::string_view path);

class Routes {
 public:
  // Null, or why the route is not valid.
  [[nodiscard]] const char* add(Route route);

  struct Match {
    const Route* route;  // null: there is none
    Methods allowed;     // of all routes for this host and path; if not 0, the answer is 405
  };
  // `host` is a Host field or empty; `path` is as resolve_target() returns it. Of the routes that
  // match, one with a host comes before one without, then the longest prefix, then the fewest
  // methods. A path of an internal route does not exist for clients, even if a route with a host,
  // or for another method, has a shorter prefix of it.
  Match find(std::string_view host, std::string_view path, Method method) const;
  // The internal route of the path, or null.
  const Route* find_internal(std::string_view host, std::string_view path) const;
  const std::vector<Route>& all() const { return routes_; }

 private:
  std::vector<Route> routes_;  // in order of precedence; the first match counts
};

// Writes the value of Allow, such as "GET, HEAD, OPTIONS"; `out` has kAllowBytesMax. Returns the
// bytes.
size_t format_allow(Methods methods, char* out);

// Whether the name is a token, the value has no control character, and the server does not decide
// the field itself (framing, Date, validators and so on).
bool is_settable_field(std::string_view name, std::string_view value);

// Writes `base`, then `path` with every byte encoded that could mean something else than a name
// (also "\", which browsers take for "/"), then the query of `target`. Returns the bytes; 0 if they
// are more than limits::kLocationBytesMax.
size_t format_location(std::string_view base, std::string_view path, std::string_view target,
                       char* out);

}  // namespace spliced::http
