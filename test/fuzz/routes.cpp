// SPDX-License-Identifier: Apache-2.0
// Fuzzes http/routes. Three lines are a route each: a byte for its methods, its host, a space, its
// prefix. Then come a byte for the method and the host of a request, and its path or target. The
// route that is found is the one that a comparison of all of them finds; a location that is made of
// the path says this path again and is no other URL.
#include "http/routes.hpp"

#include <optional>

#include "http/response.hpp"
#include "http/syntax.hpp"
#include "invariant.hpp"

using namespace spliced;
using namespace spliced::http;

namespace {

constexpr size_t kLines = 3;
constexpr size_t kNone = std::string_view::npos;
constexpr unsigned kMethods = static_cast<unsigned>(Method::Other) + 1;

std::string_view take_line(std::string_view& text) {
  const size_t newline = text.find('\n');
  const std::string_view line = text.substr(0, newline);
  text.remove_prefix(newline == kNone ? text.size() : newline + 1);
  return line;
}

Route route_of(std::string_view line, size_t number) {
  Route route;
  route.directory = number;
  if (line.empty()) return route;
  route.methods = static_cast<Methods>(static_cast<unsigned char>(line[0]));
  line.remove_prefix(1);
  const size_t space = line.find(' ');
  for (const char c : line.substr(0, space)) route.host += lower(c);
  if (space != kNone) route.prefix = line.substr(space + 1);
  return route;
}

// The host of a valid Host field: what is before the last colon that no bracket follows, without a
// dot at its end.
std::string_view name_of(std::string_view host) {
  const size_t colon = host.rfind(':');
  const bool is_port = colon != kNone && host.find(']', colon) == kNone;
  const std::string_view name = is_port ? host.substr(0, colon) : host;
  const bool is_rooted = name.size() > 1 && name[name.size() - 1] == '.';
  return name.substr(0, name.size() - (is_rooted ? 1 : 0));
}

bool fits(const Route& route, std::string_view host, std::string_view path) {
  if (!route.host.empty() && !equals_ignoring_case(route.host, name_of(host))) return false;
  const std::string prefix = route.prefix + "/";
  return route.prefix.empty() || path == route.prefix || path.substr(0, prefix.size()) == prefix;
}

int count(Methods methods) {
  int bits = 0;
  for (unsigned i = 0; i < 16; ++i) bits += methods >> i & 1;
  return bits;
}

// Whether `a` goes before `b`, which was given earlier.
bool is_better(const Route& a, const Route& b) {
  if (a.host.empty() != b.host.empty()) return b.host.empty();
  if (a.prefix.size() != b.prefix.size()) return a.prefix.size() > b.prefix.size();
  return count(a.methods) < count(b.methods);
}

void check_match(const Route (&routes)[kLines], std::string_view host, std::string_view path,
                 Method method, const Routes::Match& match) {
  const Route* best = nullptr;
  Methods allowed = 0;
  for (const Route& route : routes) {
    if (!fits(route, host, path)) continue;
    allowed |= route.methods;
    if ((route.methods & bit_of(method)) != 0 && (best == nullptr || is_better(route, *best)))
      best = &route;
  }
  INVARIANT((match.route == nullptr) == (best == nullptr));
  if (best == nullptr) {
    INVARIANT(match.allowed == allowed);
  } else {
    INVARIANT(match.route->directory == best->directory && match.allowed == best->methods);
  }
}

void check_allow(Methods methods) {
  char out[kAllowBytesMax];
  const size_t size = format_allow(methods, out);
  INVARIANT(size > 0 && size <= kAllowBytesMax);
  std::string_view list(out, size);
  INVARIANT(list.find("OPTIONS") != kNone);
  INVARIANT((list.find("GET") != kNone) == ((methods & bit_of(Method::Get)) != 0));
  std::string_view element;
  while (next_element(list, element)) INVARIANT(is_token(element));
}

std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

// `rest` is a path as it was resolved; as a target it has to be one that parse_head takes.
void check_location(std::string_view rest) {
  static constexpr std::string_view kBase = "https://device.local/";
  char out[limits::kLocationBytesMax];
  std::string target = "/?";
  for (const char c : rest)
    if (is_visible(c)) target += c;
  const size_t size = format_location(kBase, rest, target, out);
  INVARIANT(size <= limits::kLocationBytesMax);
  INVARIANT(size > 0);  // the input is too short for one that does not fit
  const std::string_view location(out, size);
  for (const char c : location) INVARIANT(is_visible(c));
  INVARIANT(location.substr(0, kBase.size()) == kBase);
  const size_t query = location.find('?');
  INVARIANT(query != kNone && location.substr(query) == std::string_view(target).substr(1));
  const std::string_view path = location.substr(kBase.size(), query - kBase.size());
  INVARIANT(path.find_first_of("\\#@:") == kNone);
  INVARIANT(decoded(path) == std::string(rest));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest = text_of(data, size);
  Routes table;
  Route routes[kLines];
  for (size_t i = 0; i < kLines; ++i) {
    Route& route = routes[i] = route_of(take_line(rest), i);
    INVARIANT(table.add(route) == nullptr);
    if ((route.methods & bit_of(Method::Get)) != 0) route.methods |= bit_of(Method::Head);
    check_allow(route.methods);
  }
  std::string_view host = take_line(rest);
  if (host.empty()) return 0;
  const auto method = static_cast<Method>(static_cast<unsigned char>(host[0]) % kMethods);
  host.remove_prefix(1);
  if (!host.empty() && !is_valid_host(host)) return 0;
  check_match(routes, host, rest, method, table.find(host, rest, method));
  check_location(rest);
  return 0;
}
