// SPDX-License-Identifier: Apache-2.0
// See request.hpp. RFC 9110 13 and 14 in http/; here is their order of application.
#include "conn/request.hpp"

#include <cstring>

#include "base/assert.hpp"
#include "conn/dispatch.hpp"
#include "conn/open_file.hpp"
#include "http/conditions.hpp"
#include "http/range.hpp"
#include "http/response.hpp"
#include "http/target.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {
namespace {

constexpr std::string_view kStatusPath = ".spliced/status";
constexpr std::string_view kCanaryPath = ".spliced/canary";
constexpr std::string_view kReservedPrefix = ".spliced/";

void consume_head(Connection& c) {
  c.input.begin += c.head_bytes;
  c.head_bytes = 0;
}

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

void send_head(Services& s, Connection& c, http::ResponseHead& head) {
  head.date = s.date();
  head.keep_alive = c.keep_alive;
  c.output.hold(s.buffers);
  const size_t bytes = http::format_head(head, c.output.tail(), c.output.room());
  SPLICED_ASSERT(bytes > 0);  // http/response.hpp bounds every head
  c.output.end += bytes;
  s.figures.count_status(head.status);
  c.served = true;
  enter(s, c, State::Respond);
}

void append_body(Connection& c, std::string_view body) {
  SPLICED_ASSERT(body.size() <= c.output.room());
  std::memcpy(c.output.tail(), body.data(), body.size());
  c.output.end += body.size();
}

void respond_text(Services& s, Connection& c, http::ResponseHead& head, std::string_view body,
                  bool send_body) {
  head.content_length = body.size();
  head.cache_control = "no-store";
  send_head(s, c, head);
  if (send_body) append_body(c, body);
}

void respond_status_page(Services& s, Connection& c, bool send_body) {
  http::ResponseHead head;
  head.status = 200;
  head.content_type = "application/json";
  respond_text(s, c, head, s.status_json(), send_body);
}

// The whole file or one range of it (RFC 9110 14.2).
void select_range(const http::RequestHead& request, const files::File& file,
                  const http::Validators& current, http::ResponseHead& head) {
  head.content_length = file.size();
  if (request.range.data() == nullptr || request.method != http::Method::Get ||
      !http::range_applies(request, current))
    return;
  const http::RangeResult range = http::resolve_range(request.range, file.size());
  if (range.kind == http::RangeKind::Ignore) return;
  head.has_range = true;
  head.range_size = file.size();
  if (range.kind == http::RangeKind::Unsatisfiable) {
    head.status = 416;
    return;
  }
  head.status = 206;
  head.range_first = range.first;
  head.range_last = range.last;
  head.content_length = range.last - range.first + 1;
}

void attach_body(Connection& c, files::FilePtr file, const http::ResponseHead& head) {
  if (file->body && head.content_length + c.output.size() <= BufferPool::kBytes) {
    append_body(c, {file->body.get() + head.range_first, head.content_length});
    return;
  }
  c.body_offset = head.range_first;
  c.body_remaining = head.content_length;
  c.file = std::move(file);
}

void respond_file(Services& s, Connection& c, const http::RequestHead& request,
                  files::FilePtr file) {
  const http::Validators current{file->etag, file->identity.modified_s};
  http::ResponseHead head;
  head.status = 200;
  head.etag = file->etag;
  head.last_modified = file->last_modified;
  head.cache_control = "no-cache";
  switch (http::evaluate(request, current, s.wall_s)) {
    case http::Verdict::NotModified:
      head.status = 304;
      break;
    case http::Verdict::PreconditionFailed:
      return respond_error(s, c, 412, c.keep_alive, request.method == http::Method::Get);
    case http::Verdict::Send:
      select_range(request, *file, current, head);
      break;
  }
  if (head.status == 416) {
    head.content_type = "text/plain; charset=utf-8";
    return respond_text(s, c, head, http::error_body(416), request.method == http::Method::Get);
  }
  head.content_type = file->media_type;
  send_head(s, c, head);
  if (request.method == http::Method::Get && head.status != 304)
    attach_body(c, std::move(file), head);
}

void serve(Services& s, Connection& c, const http::RequestHead& request,
           const files::Found& found) {
  const bool body = request.method == http::Method::Get;
  switch (found.verdict) {
    case files::Found::Verdict::File:
      respond_file(s, c, request, found.file);
      break;
    case files::Found::Verdict::Unavailable:
      respond_error(s, c, 503, c.keep_alive, body);
      break;
    default:
      respond_error(s, c, 404, c.keep_alive, body);
      break;
  }
  consume_head(c);
}

// Whether this path needs a certificate that the client has not shown. Asked after the target was
// resolved, so that every spelling of a path is one. The status page has its own rule.
bool lacks_certificate(const Services& s, const Connection& c, std::string_view path) {
  return !c.client && s.certificate_required && s.certificate_required->cover(path) &&
         path.substr(0, kReservedPrefix.size()) != kReservedPrefix;
}

// The connection ends: only a new handshake can bring a certificate.
void respond_forbidden(Services& s, Connection& c, bool send_body) {
  if (s.refusal_log != nullptr) s.refusal_log->add(c.socket, kNoCertificate, {});
  c.keep_alive = false;
  http::ResponseHead head;
  head.status = 403;
  head.content_type = "text/plain; charset=utf-8";
  respond_text(s, c, head, "403 Forbidden: this path needs a client certificate\n", send_body);
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

void respond_error(Services& s, Connection& c, uint16_t status, bool keep_alive, bool send_body) {
  c.keep_alive = keep_alive;
  http::ResponseHead head;
  head.status = status;
  head.content_type = "text/plain; charset=utf-8";
  respond_text(s, c, head, http::error_body(status), send_body);
}

void begin_request(Services& s, Connection& c, const http::RequestHead& request) {
  if (c.record) c.record->requests++;
  c.keep_alive = may_persist(s, c, request);
  if (request.method == http::Method::Other) {
    respond_error(s, c, 405, c.keep_alive, true);
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
  files::Found found = s.files.find(c.path, s.now_ms);
  if (found.verdict == files::Found::Verdict::NeedOpen) return begin_open(s, c);
  if (found.file && !ensure_small_body(s, c, found.file)) return;
  serve(s, c, request, found);
}

void resume_request(Services& s, Connection& c, const files::Found& found) {
  http::RequestHead request;
  const http::HeadResult again = http::parse_head({c.input.data(), c.input.size()}, request);
  SPLICED_ASSERT(again.outcome == http::Outcome::Complete && again.consumed == c.head_bytes);
  if (s.stopping) c.keep_alive = false;
  serve(s, c, request, found);
}

}  // namespace spliced::conn
