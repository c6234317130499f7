// SPDX-License-Identifier: Apache-2.0
// See request.hpp.
#include "conn/request.hpp"

#include "conn/answer.hpp"
#include "conn/dispatch.hpp"
#include "conn/file_response.hpp"
#include "conn/lookup.hpp"
#include "http/target.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {
namespace {

constexpr std::string_view kStatusPath = ".spliced/status";
constexpr std::string_view kCanaryPath = ".spliced/canary";
constexpr std::string_view kReservedPrefix = ".spliced/";
constexpr std::string_view kAllow = "GET, HEAD, OPTIONS";  // of every file

// The settings have changed that the client's certificate was verified with: this is the last
// request before it has to be verified again.
bool is_outdated(const Services& s, const Connection& c) {
  return c.client && s.generation && c.client->trust != s.generation->trust_id();
}

// A body on GET or HEAD has no meaning to us (RFC 9110 9.3.1); it is not read, so the connection
// cannot be used for another request.
bool may_persist(const Services& s, const Connection& c, const http::RequestHead& head) {
  return head.keep_alive && !head.has_body && !s.stopping && !is_outdated(s, c);
}

void respond_status_page(Services& s, Connection& c, bool send_body) {
  http::ResponseHead head;
  head.status = 200;
  head.content_type = "application/json";
  respond_text(s, c, head, s.status_json(), send_body);
}

// Whether this path needs a certificate that the client has not shown. Asked after the target was
// resolved, so that every spelling of a path is one. The status page has its own rule.
bool lacks_certificate(const Services& s, const Connection& c, std::string_view path) {
  return !c.client && s.certificate_required && s.certificate_required->cover(path) &&
         path.substr(0, kReservedPrefix.size()) != kReservedPrefix;
}

// The connection ends: only a new handshake can bring a certificate.
void respond_forbidden(Services& s, Connection& c, bool send_body) {
  c.keep_alive = false;
  http::ResponseHead head;
  head.status = 403;
  head.content_type = "text/plain; charset=utf-8";
  respond_text(s, c, head, "403 Forbidden: this path needs a client certificate\n", send_body);
}

// OPTIONS (RFC 9110 9.3.7): of the server with an asterisk-form (RFC 9112 3.2.4), of a path without
// looking whether there is a file. A method that is known and does not fit is 405 (15.5.6), one
// that nobody here has heard of is 501 (15.6.2).
void respond_other_method(Services& s, Connection& c, const http::RequestHead& request) {
  if (request.method == http::Method::Other) return respond_error(s, c, 501, c.keep_alive, true);
  if (request.method != http::Method::Options)
    return respond_error(s, c, 405, c.keep_alive, true, kAllow);
  http::PathBuffer path;
  const uint16_t refused =
      request.target == "*" ? 0 : http::resolve_target(request.target, path).status;
  if (refused != 0) return respond_error(s, c, refused, c.keep_alive, true);
  http::ResponseHead head;
  head.status = 204;
  head.allow = kAllow;
  send_head(s, c, head);
}

// What is answered without a file. True when it was.
bool serve_without_file(Services& s, Connection& c, const http::RequestHead& request,
                        std::string_view path) {
  const bool body = request.method == http::Method::Get;
  if (path == kStatusPath && os::peer_is_loopback(c.socket)) {
    respond_status_page(s, c, body);
  } else if (path == kCanaryPath && c.canary && s.canary.file) {
    respond_file(s, c, request, s.canary.file);
  } else if (path.substr(0, kReservedPrefix.size()) == kReservedPrefix) {
    respond_error(s, c, 404, c.keep_alive, body);
  } else if (lacks_certificate(s, c, path)) {
    respond_forbidden(s, c, body);
  } else {
    return false;
  }
  return true;
}

}  // namespace

void consume_head(Connection& c) {
  c.input.begin += c.head_bytes;
  c.head_bytes = 0;
}

void begin_request(Services& s, Connection& c, const http::RequestHead& request) {
  if (c.record) c.record->requests++;
  c.keep_alive = may_persist(s, c, request);
  if (!http::retrieves(request.method)) {
    respond_other_method(s, c, request);
    return consume_head(c);
  }
  http::PathBuffer path;
  const http::TargetResult target = http::resolve_target(request.target, path);
  if (target.status != 0) {
    respond_error(s, c, target.status, c.keep_alive, request.method == http::Method::Get);
    return consume_head(c);
  }
  if (serve_without_file(s, c, request, path.view())) return consume_head(c);
  c.path.assign(path.view());
  look_up(s, c, request);
}

}  // namespace spliced::conn
