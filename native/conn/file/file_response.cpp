// SPDX-License-Identifier: Apache-2.0
// See file_response.hpp. http/ has the meaning of the fields; this file has their order.
#include "conn/file/file_response.hpp"

#include "conn/proxy/hand_over.hpp"
#include "conn/request/answer.hpp"
#include "conn/transport.hpp"
#include "http/conditions.hpp"
#include "os/host.hpp"

namespace spliced::conn {
namespace {

using http::RangeKind;
using http::RangeResult;

RangeResult wanted_ranges(const http::RequestHead& request, const files::File& file,
                          const http::Validators& current) {
  if (!http::range_applies(request, current)) return {};
  return http::resolve_range(request.range, file.size());
}

// One range: the head describes it (RFC 9110 15.3.7.1).
void describe_range(const http::ByteRange& range, uint64_t file_size, http::ResponseHead& head) {
  head.status = 206;
  head.has_range = true;
  head.range_first = range.first;
  head.range_last = range.last;
  head.range_size = file_size;
  head.content_length = range.size();
}

void attach_body(Request& r, files::FilePtr file, const http::ResponseHead& head) {
  if (file->body && head.content_length <= output_of(r).room()) {
    append_body(r, {file->body.get() + head.range_first, head.content_length});
    return;
  }
  r.body_offset = head.range_first;
  r.body_remaining = head.content_length;
  r.file = std::move(file);
}

// Several ranges (RFC 9110 15.3.7.2): each part has a Content-Range, and the head has none.
void respond_parts(Services& s, Request& r, http::ResponseHead& head, const RangeResult& ranges,
                   files::FilePtr file) {
  auto parts = std::make_unique<Parts>();
  uint64_t random[2];
  os::random_bytes(random, sizeof random);
  http::set_boundary(parts->multipart, random[0], random[1]);
  parts->multipart.content_type = type_of_parts(r, file->media_type);
  parts->multipart.size = file->size();
  parts->ranges = ranges;
  char type[http::kFieldValueBytesMax];
  head.status = 206;
  head.content_encoding = file->content_encoding;
  head.content_type = {type, http::format_multipart_type(parts->multipart, type)};
  head.content_length = http::multipart_bytes(parts->multipart, ranges);
  send_head(s, r, head);
  r.parts = std::move(parts);
  r.file = std::move(file);
  next_part(s, r);
}

void respond_unsatisfiable(Services& s, Request& r, http::ResponseHead& head, uint64_t file_size,
                           bool send_body) {
  head.status = 416;
  head.has_range = true;
  head.range_size = file_size;
  head.content_type = "text/plain; charset=utf-8";
  respond_text(s, r, head, http::error_body(416), send_body);
}

// How long a copy may be used without validation (RFC 9111 5.2.2, RFC 8246).
std::string_view cache_control(const Request& r, const files::File& file) {
  if (r.route == nullptr) return "no-store";
  if (!r.route->cache_control.empty()) return r.route->cache_control;
  const bool immutable = file.hashed_name || r.route->immutable.cover(r.path);
  return immutable ? "public, max-age=31536000, immutable" : "no-cache";
}

// The page of a 404: without conditions and ranges, and not to be stored.
void respond_not_found_page(Services& s, Request& r, bool wants_body, files::FilePtr file) {
  http::ResponseHead head;
  head.status = 404;
  head.content_type = file->media_type;
  head.content_encoding = file->content_encoding;
  head.varies = r.route->variants;
  head.cache_control = "no-store";
  head.content_length = file->size();
  send_head(s, r, head);
  if (wants_body) attach_body(r, std::move(file), head);
}

}  // namespace

void respond_file(Services& s, Request& r, const http::RequestHead& request, files::FilePtr file) {
  const bool wants_body = request.method == http::Method::Get;
  if (r.lookup.step == LookupStep::NotFoundPage)
    return respond_not_found_page(s, r, wants_body, std::move(file));
  const http::Validators current{file->etag, file->identity.modified_s};
  http::ResponseHead head;
  head.status = 200;
  head.etag = file->etag;
  // RFC 9110 8.8.2.1: never later than Date.
  head.last_modified =
      file->identity.modified_s > s.wall_s ? s.date() : std::string_view(file->last_modified);
  head.cache_control = cache_control(r, *file);
  head.content_length = file->size();
  // Accept-Encoding decided, whichever representation is sent.
  head.varies = r.route != nullptr && r.route->variants;
  switch (http::evaluate(request, current, s.wall_s)) {
    case http::Verdict::NotModified:
      head.status = 304;
      return send_head(s, r, head);
    case http::Verdict::PreconditionFailed:
      return respond_error(s, r, 412, r.keep_alive, wants_body);
    case http::Verdict::Send:
      break;
  }
  const RangeResult ranges = wanted_ranges(request, *file, current);
  if (ranges.kind == RangeKind::Unsatisfiable)
    return respond_unsatisfiable(s, r, head, file->size(), wants_body);
  if (ranges.count > 1) return respond_parts(s, r, head, ranges, std::move(file));
  if (ranges.count == 1) describe_range(ranges.ranges[0], file->size(), head);
  head.content_type = file->media_type;
  head.content_encoding = file->content_encoding;
  send_head(s, r, head);
  if (wants_body) attach_body(r, std::move(file), head);
}

}  // namespace spliced::conn
