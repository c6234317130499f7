// SPDX-License-Identifier: Apache-2.0
// See routing.hpp.
#include "conn/request/routing.hpp"

#include "conn/file/file_response.hpp"
#include "conn/file/lookup.hpp"
#include "conn/proxy/check.hpp"
#include "conn/proxy/exchange.hpp"
#include "conn/request/answer.hpp"
#include "conn/transport.hpp"
#include "http/target.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {
namespace {

constexpr std::string_view kStatusPath = ".spliced/status";
constexpr std::string_view kCanaryPath = ".spliced/canary";

// The settings under which the client's certificate was verified have changed: this is the last
// request before it must be verified again.
bool is_outdated(const Services& s, const Request& r) {
  return client_of(r) && s.generation && client_of(r)->trust != s.generation->trust_id();
}

// Whether another request may follow: it cannot be found behind a body that was not read to its
// end.
bool may_persist(const Services& s, const Request& r, const http::RequestHead& head) {
  return head.keep_alive && r.body.done() && !s.stopping && !is_outdated(s, r) &&
         has_requests_left(s, r);
}

void respond_status_page(Services& s, Request& r, bool send_body) {
  http::ResponseHead head;
  head.status = 200;
  head.content_type = "application/json";
  respond_text(s, r, head, s.status_json(), send_body);
}

// RFC 9110 9.3.7: for the server as a whole in asterisk-form (RFC 9112 3.2.4), or for a path,
// without checking whether it has a file.
void respond_options(Services& s, Request& r, http::Methods allowed) {
  char allow[http::kAllowBytesMax];
  http::ResponseHead head;
  head.status = 204;
  head.allow = {allow, http::format_allow(allowed, allow)};
  send_head(s, r, head);
}

void respond_not_allowed(Services& s, Request& r, http::Methods allowed) {
  char allow[http::kAllowBytesMax];
  respond_error(s, r, 405, r.keep_alive, true, {allow, http::format_allow(allowed, allow)});
}

// Only backends serve WebSockets.
void refuse_tunnel(Services& s, Request& r, http::Methods allowed) {
  if (allowed == 0)
    respond_error(s, r, 404, r.keep_alive, true);
  else
    respond_not_allowed(s, r, allowed);
  end_request(r);
}

// Requests that the service answers itself, whatever the routes say.
void serve_own(Services& s, Request& r, const http::RequestHead& request, std::string_view path,
               bool directory) {
  const bool body = request.method == http::Method::Get;
  if (path.substr(0, kUploadPrefix.size()) == kUploadPrefix) {
    answer_upload(s, r, request, path);
  } else if (!http::retrieves(request.method)) {
    respond_not_allowed(s, r, http::kRetrieval);
  } else if (directory) {
    respond_error(s, r, 404, r.keep_alive, body);
  } else if (path == kStatusPath && is_local(r)) {
    respond_status_page(s, r, body);
  } else if (path == kCanaryPath && is_canary(r) && s.canary.file) {
    respond_file(s, r, request, s.canary.file);
  } else {
    respond_error(s, r, 404, r.keep_alive, body);
  }
  end_request(r);
}

// RFC 9112 3.2.2: the authority of an absolute-form replaces Host.
std::string_view host_of(const http::RequestHead& request, const http::TargetResult& target) {
  return target.authority.empty() ? request.host : target.authority;
}

http::Routes::Match find_route(const Site& site, const http::RequestHead& request,
                               const http::TargetResult& target, std::string_view path) {
  const http::Routes& routes = http::is_reserved(path) ? site.own : site.routes;
  return routes.find(host_of(request, target), path, request.method);
}

// The route of the path, even if the request has another fault; null: there is none.
const http::Route* route_for(const Services& s, const http::RequestHead& request) {
  http::PathBuffer path;
  if (request.method == http::Method::Other || request.method == http::Method::Connect)
    return nullptr;
  const http::TargetResult target = http::resolve_target(request.target, path);
  if (target.status != 0) return nullptr;
  return find_route(*s.site->site, request, target, path.view()).route;
}

// Whether its body must wait for the result of a check, and is not read before.
bool waits_for_check(const Services& s, const http::RequestHead& request) {
  const http::Route* route = route_for(s, request);
  return route != nullptr && !route->check.empty();
}

// Each segment up to its first ';', as backends with path parameters read it (RFC 3986 3.3).
std::string without_parameters(std::string_view path) {
  std::string bare;
  bool parameters = false;
  for (const char c : path) {
    parameters = c != '/' && (parameters || c == ';');
    if (!parameters) bare += c;
  }
  return bare;
}

// Such a backend reads "/admin;x" as "/admin", which may belong to another route or be protected.
bool has_second_reading(const Services& s, const Request& r, const http::RequestHead& request,
                        const http::TargetResult& target, std::string_view path) {
  if (r.route->action != http::Action::Proxy || path.find(';') == std::string_view::npos)
    return false;
  const std::string bare = without_parameters(path);
  return find_route(*r.site->site, request, target, bare).route != r.route ||
         lacks_certificate(s, r, bare);
}

void serve_static(Services& s, Request& r, const http::RequestHead& request, std::string_view path,
                  bool directory) {
  const http::Route& route = *r.route;
  if (route.mounted) path = behind_prefix(route, path);
  // A request for the directory of a mounted route, without its slash.
  const bool bare = path.empty() && !directory;
  if (route.mounted && http::is_reserved(path)) {  // `spliced pack` keeps its own files there
    respond_error(s, r, 404, r.keep_alive, request.method == http::Method::Get);
    return end_request(r);
  }
  if (bare || (directory && route.index.empty())) {
    if (bare && !route.index.empty())
      respond_redirect(s, r, 308, "/" + route.prefix + "/", {}, request);
    else
      respond_error(s, r, 404, r.keep_alive, request.method == http::Method::Get);
    return end_request(r);
  }
  r.lookup.directory = directory;
  r.path.assign(path);
  if (directory) r.path.append(path.empty() ? "" : "/").append(route.index);
  look_up(s, r, request);
}

void serve_proxy(Services& s, Request& r, const http::RequestHead& request, std::string_view host) {
  if (request.has_body && !keeps_body(r)) return abort(s, r, Ending::Aborted);
  // Not read here: the exchange knows at its end whether all of it was read.
  r.body = http::BodyReader();
  r.keep_alive = may_persist(s, r, request);
  begin_proxy(s, r, request, host);
}

void serve_route(Services& s, Request& r, const http::RequestHead& request,
                 const http::TargetResult& target, std::string_view path) {
  if (needs_check(r)) return begin_check(s, r, request, host_of(request, target));
  const http::Route& route = *r.route;
  const bool directory = target.directory;
  const bool body = request.method != http::Method::Head;
  switch (route.action) {
    case http::Action::Static:
      return serve_static(s, r, request, path, directory);
    case http::Action::Redirect:
      if (route.keep_path) {
        std::string rest(behind_prefix(route, path));
        if (!rest.empty() && directory) rest += '/';
        if (!rest.empty() && (route.location.empty() || route.location.back() != '/'))
          rest.insert(0, "/");
        respond_redirect(s, r, route.status, route.location, rest, request);
      } else {
        http::RequestHead bare = request;
        bare.target = {};  // no query
        respond_redirect(s, r, route.status, route.location, {}, bare);
      }
      break;
    case http::Action::Respond: {
      http::ResponseHead head;
      head.status = route.status;
      head.content_type = route.content_type;
      respond_text(s, r, head, route.body, body);
      break;
    }
    case http::Action::Proxy:
      return serve_proxy(s, r, request, host_of(request, target));
  }
  end_request(r);
}

}  // namespace

bool goes_to_backend(const Services& s, const http::RequestHead& request) {
  const http::Route* route = route_for(s, request);
  return route != nullptr && route->action == http::Action::Proxy;
}

bool lacks_certificate(const Services& s, const Request& r, std::string_view path) {
  if (client_of(r)) return false;
  if (r.route != nullptr && r.route->needs_certificate) return true;
  return s.certificate_required && s.certificate_required->cover(path);
}

void respond_forbidden(Services& s, Request& r, std::string_view host, bool send_body) {
  log_refusal(s, r, kNoCertificate);
  const bool other_name = is_for_another_name(r, host);
  r.keep_alive = r.keep_alive && other_name;
  if (other_name || came_before_certificates(s, r)) {
    s.figures.streams_misdirected.add();
    return respond_error(s, r, 421, r.keep_alive, send_body);
  }
  http::ResponseHead head;
  head.status = 403;
  head.content_type = "text/plain; charset=utf-8";
  respond_text(s, r, head, "403 Forbidden: this path needs a client certificate\n", send_body);
}

void end_request(Request& r) {
  consume_head(r);
  r.route = nullptr;
  r.site.reset();
  r.lookup = Lookup{};
  r.checked = false;
  r.added_fields.clear();
}

void resume_checked(Services& s, Request& r) {
  const http::RequestHead request = head_again(s, r);
  http::PathBuffer path;
  const http::TargetResult target = http::resolve_target(request.target, path);
  r.keep_alive = may_persist(s, r, request);
  serve_route(s, r, request, target, path.view());
}

// Only a proxy route takes a body (RFC 9110 9.3.1: it has no meaning for GET). Any other body is
// read to its end before the answer, which may be a 400 because of the body. Two bodies are not
// read: one that is too large, and one whose client waits to be told whether it is wanted (RFC 9110
// 10.1.1). Then the final status is sent at once and the connection ends with it, because it is
// unknown whether the body will follow.
void begin_request(Services& s, Request& r, const http::RequestHead& request) {
  if (request.method == http::Method::Put && begin_upload(s, r, request)) return;
  r.body = http::BodyReader(request, s.options.discarded_body_bytes_max);
  const bool known_too_large = request.content_length > s.options.discarded_body_bytes_max;
  if (!request.has_body || request.expect_continue || known_too_large ||
      goes_to_backend(s, request) || waits_for_check(s, request))
    return answer_request(s, r, request);
  enter(s, r, State::ReadBody);
}

void answer_request(Services& s, Request& r) {
  answer_request(s, r, head_again(s, r));
}

void answer_stream_request(Services& s, Request& r) {
  const http::RequestHead request = head_again(s, r);
  if (request.method == http::Method::Put && begin_upload(s, r, request)) return;
  answer_request(s, r, request);
}

void refuse_body(Services& s, Request& r) {
  respond_error(s, r, 400, /*keep_alive=*/false, head_again(s, r).method != http::Method::Head);
  end_request(r);
}

void answer_request(Services& s, Request& r, const http::RequestHead& request) {
  r.keep_alive = may_persist(s, r, request);
  const bool body = request.method != http::Method::Head;
  const bool options = request.method == http::Method::Options;
  http::PathBuffer path;
  http::TargetResult target{0, nullptr, {}, false};
  // RFC 9110 15.6.2. CONNECT has a target of its own form (RFC 9112 3.2.3).
  if (request.method == http::Method::Other) target.status = 501;
  const bool server_wide = options && request.target == "*";
  const bool tunnel = request.method == http::Method::Connect;
  if (target.status == 0 && !server_wide && !tunnel)
    target = http::resolve_target(request.target, path);
  if (target.status != 0) {
    respond_error(s, r, target.status, r.keep_alive, body);
    return end_request(r);
  }
  if (server_wide || tunnel) {
    server_wide ? respond_options(s, r, http::kRetrieval)
                : respond_not_allowed(s, r, http::kRetrieval);
    return end_request(r);
  }
  r.site = s.site;
  const http::Routes::Match match = find_route(*r.site->site, request, target, path.view());
  if (opens_tunnel(r) && (match.route == nullptr || match.route->action != http::Action::Proxy))
    return refuse_tunnel(s, r, match.allowed);
  if (match.allowed == 0 && http::is_reserved(path.view()))
    return serve_own(s, r, request, path.view(), target.directory);
  r.route = match.route;
  if (lacks_certificate(s, r, path.view())) {
    respond_forbidden(s, r, host_of(request, target), body);
  } else if (match.route != nullptr && has_second_reading(s, r, request, target, path.view())) {
    respond_error(s, r, 400, r.keep_alive, body);
  } else if (match.route != nullptr) {
    return serve_route(s, r, request, target, path.view());
  } else if (match.allowed == 0) {
    respond_error(s, r, 404, r.keep_alive, body);
  } else if (options) {
    respond_options(s, r, match.allowed);
  } else {
    respond_not_allowed(s, r, match.allowed);
  }
  end_request(r);
}

}  // namespace spliced::conn
