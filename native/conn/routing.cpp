// SPDX-License-Identifier: Apache-2.0
// See routing.hpp.
#include "conn/routing.hpp"

#include "conn/answer.hpp"
#include "conn/dispatch.hpp"
#include "conn/exchange.hpp"
#include "conn/file_response.hpp"
#include "conn/lookup.hpp"
#include "http/target.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {
namespace {

constexpr std::string_view kStatusPath = ".spliced/status";
constexpr std::string_view kCanaryPath = ".spliced/canary";

// The settings have changed that the client's certificate was verified with: this is the last
// request before it has to be verified again.
bool is_outdated(const Services& s, const Connection& c) {
  return c.client && s.generation && c.client->trust != s.generation->trust_id();
}

// Behind a body that was not read to its end no other request can be found.
bool may_persist(const Services& s, const Connection& c, const http::RequestHead& head) {
  return head.keep_alive && c.request.body.done() && !s.stopping && !is_outdated(s, c) &&
         c.requests < s.options.requests_per_connection_max;
}

void respond_status_page(Services& s, Connection& c, bool send_body) {
  http::ResponseHead head;
  head.status = 200;
  head.content_type = "application/json";
  respond_text(s, c, head, s.status_json(), send_body);
}

// RFC 9110 9.3.7: of the server with an asterisk-form (RFC 9112 3.2.4), of a path without looking
// whether there is a file.
void respond_options(Services& s, Connection& c, http::Methods allowed) {
  char allow[http::kAllowBytesMax];
  http::ResponseHead head;
  head.status = 204;
  head.allow = {allow, http::format_allow(allowed, allow)};
  send_head(s, c, head);
}

void respond_not_allowed(Services& s, Connection& c, http::Methods allowed) {
  char allow[http::kAllowBytesMax];
  respond_error(s, c, 405, c.request.keep_alive, true, {allow, http::format_allow(allowed, allow)});
}

// What the service itself answers, whatever the routes say.
void serve_own(Services& s, Connection& c, const http::RequestHead& request, std::string_view path,
               bool directory) {
  const bool body = request.method == http::Method::Get;
  if (path.substr(0, kUploadPrefix.size()) == kUploadPrefix) {
    answer_upload(s, c, request, path);
  } else if (!http::retrieves(request.method)) {
    respond_not_allowed(s, c, http::kRetrieval);
  } else if (directory) {
    respond_error(s, c, 404, c.request.keep_alive, body);
  } else if (path == kStatusPath && os::peer_is_loopback(c.socket)) {
    respond_status_page(s, c, body);
  } else if (path == kCanaryPath && c.canary && s.canary.file) {
    respond_file(s, c, request, s.canary.file);
  } else {
    respond_error(s, c, 404, c.request.keep_alive, body);
  }
  end_request(c);
}

// RFC 9112 3.2.2: the authority of an absolute-form counts, not Host.
std::string_view host_of(const http::RequestHead& request, const http::TargetResult& target) {
  return target.authority.empty() ? request.host : target.authority;
}

http::Routes::Match find_route(const Site& site, const http::RequestHead& request,
                               const http::TargetResult& target, std::string_view path) {
  const http::Routes& routes = http::is_reserved(path) ? site.own : site.routes;
  return routes.find(host_of(request, target), path, request.method);
}

// Its body is the backend's, and is not read before.
bool goes_to_backend(const Services& s, const http::RequestHead& request) {
  http::PathBuffer path;
  if (request.method == http::Method::Other || request.method == http::Method::Connect)
    return false;
  const http::TargetResult target = http::resolve_target(request.target, path);
  if (target.status != 0) return false;
  const http::Routes::Match match = find_route(*s.site->site, request, target, path.view());
  return match.route != nullptr && match.route->action == http::Action::Proxy;
}

// Each segment up to its first ';': so backends read a path that know parameters (RFC 3986 3.3).
std::string without_parameters(std::string_view path) {
  std::string bare;
  bool parameters = false;
  for (const char c : path) {
    parameters = c != '/' && (parameters || c == ';');
    if (!parameters) bare += c;
  }
  return bare;
}

// For such a backend "/admin;x" is "/admin", which may be another route's, or protected.
bool has_second_reading(const Services& s, const Connection& c, const http::RequestHead& request,
                        const http::TargetResult& target, std::string_view path) {
  if (c.request.route->action != http::Action::Proxy || path.find(';') == std::string_view::npos)
    return false;
  const std::string bare = without_parameters(path);
  return find_route(*c.request.site->site, request, target, bare).route != c.request.route ||
         lacks_certificate(s, c, bare);
}

// What of the path follows the route's prefix.
std::string_view behind_prefix(const http::Route& route, std::string_view path) {
  path.remove_prefix(route.prefix.size());
  if (!route.prefix.empty() && !path.empty()) path.remove_prefix(1);
  return path;
}

void serve_static(Services& s, Connection& c, const http::RequestHead& request,
                  std::string_view path, bool directory) {
  const http::Route& route = *c.request.route;
  if (route.mounted) path = behind_prefix(route, path);
  // The directory of a mounted route itself, asked for without its slash.
  const bool bare = path.empty() && !directory;
  if (route.mounted && http::is_reserved(path)) {  // what `spliced pack` keeps there for itself
    respond_error(s, c, 404, c.request.keep_alive, request.method == http::Method::Get);
    return end_request(c);
  }
  if (bare || (directory && route.index.empty())) {
    if (bare && !route.index.empty())
      respond_redirect(s, c, 308, "/" + route.prefix + "/", {}, request);
    else
      respond_error(s, c, 404, c.request.keep_alive, request.method == http::Method::Get);
    return end_request(c);
  }
  c.request.lookup.directory = directory;
  c.request.path.assign(path);
  if (directory) c.request.path.append(path.empty() ? "" : "/").append(route.index);
  look_up(s, c, request);
}

void serve_proxy(Services& s, Connection& c, const http::RequestHead& request,
                 std::string_view host) {
  c.request.body =
      http::BodyReader();  // not read here: the exchange knows whether it was, at its end
  c.request.keep_alive = may_persist(s, c, request);
  begin_proxy(s, c, request, host);
}

void serve_route(Services& s, Connection& c, const http::RequestHead& request,
                 const http::TargetResult& target, std::string_view path) {
  const http::Route& route = *c.request.route;
  const bool directory = target.directory;
  const bool body = request.method != http::Method::Head;
  switch (route.action) {
    case http::Action::Static:
      return serve_static(s, c, request, path, directory);
    case http::Action::Redirect:
      if (route.keep_path) {
        std::string rest(behind_prefix(route, path));
        if (!rest.empty() && directory) rest += '/';
        if (!rest.empty() && (route.location.empty() || route.location.back() != '/'))
          rest.insert(0, "/");
        respond_redirect(s, c, route.status, route.location, rest, request);
      } else {
        http::RequestHead bare = request;
        bare.target = {};  // no query
        respond_redirect(s, c, route.status, route.location, {}, bare);
      }
      break;
    case http::Action::Respond: {
      http::ResponseHead head;
      head.status = route.status;
      head.content_type = route.content_type;
      respond_text(s, c, head, route.body, body);
      break;
    }
    case http::Action::Proxy:
      return serve_proxy(s, c, request, host_of(request, target));
  }
  end_request(c);
}

}  // namespace

bool lacks_certificate(const Services& s, const Connection& c, std::string_view path) {
  if (c.client) return false;
  if (c.request.route != nullptr && c.request.route->needs_certificate) return true;
  return s.certificate_required && s.certificate_required->cover(path);
}

void respond_forbidden(Services& s, Connection& c, bool send_body) {
  if (s.refusal_log != nullptr) s.refusal_log->add(c.socket, kNoCertificate, {});
  c.request.keep_alive = false;
  http::ResponseHead head;
  head.status = 403;
  head.content_type = "text/plain; charset=utf-8";
  respond_text(s, c, head, "403 Forbidden: this path needs a client certificate\n", send_body);
}

http::RequestHead head_again(const Services& s, Connection& c) {
  http::RequestHead request;
  const http::HeadResult again =
      http::parse_head({c.input.data(), c.input.size()}, request, s.options.head);
  SPLICED_ASSERT(again.outcome == http::Outcome::Complete &&
                 again.consumed == c.request.head_bytes);
  return request;
}

void end_request(Connection& c) {
  c.input.begin += c.request.head_bytes;
  c.request.head_bytes = 0;
  c.request.route = nullptr;
  c.request.site.reset();
  c.request.lookup = Lookup{};
}

// No route but a proxy takes a body (RFC 9110 9.3.1: it means nothing to GET). It is read to its
// end before the answer, which may be 400 for the body's sake, unless it is too large, or its
// client waits to be told whether it is wanted (RFC 9110 10.1.1): then the final status goes out at
// once, and with it the connection, since nobody knows whether the body will follow.
void begin_request(Services& s, Connection& c, const http::RequestHead& request) {
  c.requests++;
  if (request.method == http::Method::Put && begin_upload(s, c, request)) return;
  c.request.body = http::BodyReader(request, s.options.discarded_body_bytes_max);
  const bool known_too_large = request.content_length > s.options.discarded_body_bytes_max;
  if (!request.has_body || request.expect_continue || known_too_large ||
      goes_to_backend(s, request))
    return answer_request(s, c, request);
  enter(s, c, State::ReadBody);
}

void answer_request(Services& s, Connection& c) {
  answer_request(s, c, head_again(s, c));
}

void refuse_body(Services& s, Connection& c) {
  respond_error(s, c, 400, /*keep_alive=*/false, head_again(s, c).method != http::Method::Head);
  end_request(c);
}

void answer_request(Services& s, Connection& c, const http::RequestHead& request) {
  c.request.keep_alive = may_persist(s, c, request);
  const bool body = request.method != http::Method::Head;
  const bool options = request.method == http::Method::Options;
  http::PathBuffer path;
  http::TargetResult target{0, nullptr, {}, false};
  // RFC 9110 15.6.2, and CONNECT has a target of its own form (RFC 9112 3.2.3).
  if (request.method == http::Method::Other) target.status = 501;
  const bool server_wide = options && request.target == "*";
  const bool tunnel = request.method == http::Method::Connect;
  if (target.status == 0 && !server_wide && !tunnel)
    target = http::resolve_target(request.target, path);
  if (target.status != 0) {
    respond_error(s, c, target.status, c.request.keep_alive, body);
    return end_request(c);
  }
  if (server_wide || tunnel) {
    server_wide ? respond_options(s, c, http::kRetrieval)
                : respond_not_allowed(s, c, http::kRetrieval);
    return end_request(c);
  }
  c.request.site = s.site;
  const http::Routes::Match match = find_route(*c.request.site->site, request, target, path.view());
  if (match.allowed == 0 && http::is_reserved(path.view()))
    return serve_own(s, c, request, path.view(), target.directory);
  c.request.route = match.route;
  if (lacks_certificate(s, c, path.view())) {
    respond_forbidden(s, c, body);
  } else if (match.route != nullptr && has_second_reading(s, c, request, target, path.view())) {
    respond_error(s, c, 400, c.request.keep_alive, body);
  } else if (match.route != nullptr) {
    return serve_route(s, c, request, target, path.view());
  } else if (match.allowed == 0) {
    respond_error(s, c, 404, c.request.keep_alive, body);
  } else if (options) {
    respond_options(s, c, match.allowed);
  } else {
    respond_not_allowed(s, c, match.allowed);
  }
  end_request(c);
}

}  // namespace spliced::conn
