// SPDX-License-Identifier: Apache-2.0
// Answers to requests for uploads. See upload.hpp.
#include <algorithm>

#include "conn/proxy/exchange.hpp"
#include "conn/request/answer.hpp"
#include "conn/request/routing.hpp"
#include "conn/transport.hpp"
#include "conn/upload/upload.hpp"
#include "http/content_range.hpp"
#include "http/routes.hpp"
#include "http/target.hpp"

namespace spliced::conn {
namespace {

constexpr http::Methods kUploadMethods =
    http::bit_of(http::Method::Head) | http::bit_of(http::Method::Put);

std::string offset_field(const upload::Ticket& ticket) {
  return "Upload-Offset: " + std::to_string(ticket.offset()) +
         "\r\nUpload-Length: " + std::to_string(ticket.length()) + "\r\n";
}

std::shared_ptr<upload::Ticket> find_ticket(const Services& s, std::string_view id) {
  std::shared_ptr<upload::Ticket> found;
  for (const auto& ticket : s.uploads)
    if (ticket->has_id(id)) found = ticket;
  return found;
}

void send_text(Services& s, Request& r, uint16_t status, std::string_view type,
               std::string_view body, const std::string& fields) {
  http::ResponseHead head;
  head.status = status;
  head.content_type = type;
  head.fields = fields;
  respond_text(s, r, head, body, /*send_body=*/true);
}

// A fault of the request, found before its body is read. Status 0: none.
struct Refusal {
  uint16_t status = 0;
  std::string sentence;
};

// Finds the body's place in the file, which must have everything before it.
Refusal place_body(const http::RequestHead& request, const upload::Ticket& ticket,
                   uint64_t& first) {
  const uint64_t length = ticket.length(), bytes = request.content_length;
  first = 0;
  if (request.content_range.data() != nullptr) {
    http::ContentRange range;
    if (!http::parse_content_range(request.content_range, range))
      return {400, "Content-Range must be \"bytes FIRST-LAST/LENGTH\""};
    if (range.last - range.first + 1 != bytes)
      return {400, "Content-Range and Content-Length say different lengths of this body"};
    if (range.has_size && range.size != length)
      return {400, "this upload has " + std::to_string(length) +
                       " bytes in all, Content-Range says another length"};
    first = range.first;
  } else if (bytes == 0) {  // asks for the result of an upload that has arrived completely
    first = ticket.offset();
  }
  if (first > length || bytes > length - first)
    return {413, "the body goes beyond the " + std::to_string(length) +
                     " bytes that were announced for this upload"};
  return {};
}

Refusal judge(const Services& s, const http::RequestHead& request, upload::Ticket& ticket,
              Upload& upload) {
  if (request.chunked)
    return {411, "send the body with Content-Length; a chunked one is not taken"};
  if (Refusal refusal = place_body(request, ticket, upload.offset); refusal.status != 0)
    return refusal;
  upload.left = request.content_length;
  if (upload.left == 0) upload.end = Upload::End::Whole;
  if (s.stopping && upload.left > 0)
    return {503, "the service stops; go on with the upload when it is back"};
  upload.claim = ticket.claim(s.now_ms);
  if (upload.claim == 0)
    return {409, "another connection sends this upload; try again in some seconds"};
  const uint64_t offset = ticket.offset();  // claimed, so it cannot change
  if (upload.offset != offset)
    return {409, "the next byte is number " + std::to_string(offset) +
                     " (see Upload-Offset); send the rest from there, with Content-Range"};
  return {};
}

bool open_lanes(Upload& upload) {
  upload.filling.pipe = os::open_pipe(limits::kUploadPipeBytes);
  upload.writing.pipe = os::open_pipe(limits::kUploadPipeBytes);
  if (!upload.filling.pipe || !upload.writing.pipe) return false;
  upload.places = std::min(os::places(upload.filling.pipe), os::places(upload.writing.pipe));
  return upload.places > 0;
}

// Sends 100 (Continue): the body is wanted.
void ask_for_body(Services& s, Request& r) {
  output_of(r).hold(s.buffers);
  append_body(r, "HTTP/1.1 100 Continue\r\n\r\n");
  if (frames_bodies(r)) inform_client(s, r);
}

}  // namespace

void respond_upload(Services& s, Request& r, uint16_t status, std::string_view sentence,
                    const upload::Ticket* ticket) {
  std::string text(http::error_body(status));
  text.pop_back();
  text.append(": ").append(sentence).append("\n");
  std::string fields;
  if (ticket != nullptr) fields = offset_field(*ticket);
  if (status == 409 || status == 503) fields += "Retry-After: 5\r\n";
  send_text(s, r, status, "text/plain; charset=utf-8", text, fields);
}

void respond_received(Services& s, Request& r, const upload::Ticket& ticket) {
  if (const auto outcome = ticket.outcome()) {
    if (outcome->status != 200)
      return respond_upload(s, r, outcome->status, outcome->text, &ticket);
    return send_text(s, r, 200, "application/json", outcome->text, offset_field(ticket));
  }
  const bool whole = ticket.offset() == ticket.length();
  respond_upload(s, r, 202,
                 whole ? "it is all here, and is still being checked" : "more is to come", &ticket);
}

bool is_upload(const http::RequestHead& request) {
  http::PathBuffer path;
  return http::resolve_target(request.target, path).status == 0 &&
         path.view().substr(0, kUploadPrefix.size()) == kUploadPrefix;
}

bool begin_upload(Services& s, Request& r, const http::RequestHead& request) {
  if (!is_upload(request)) return false;
  http::PathBuffer path;
  (void)http::resolve_target(request.target, path);
  // If its body is not read, the next request cannot be found, except by frames.
  const bool lets_persist = request.keep_alive && !s.stopping && has_requests_left(s, r);
  r.keep_alive = lets_persist && (!request.has_body || frames_bodies(r));
  const auto ticket = find_ticket(s, path.view().substr(kUploadPrefix.size()));
  std::unique_ptr<Upload> upload;
  Refusal refusal{404, "there is no such upload; ask the API for one"};
  if (ticket) {
    upload = std::make_unique<Upload>(ticket);
    refusal = judge(s, request, *ticket, *upload);
    if (refusal.status == 0 && upload->left > 0 && !open_lanes(*upload))
      refusal = {503, "there are no descriptors left for an upload"};
  }
  if (refusal.status != 0) {
    upload.reset();
    respond_upload(s, r, refusal.status, refusal.sentence, ticket.get());
    end_request(r);
    return true;
  }
  // A client that has begun to send does not wait for it (RFC 9110 10.1.1).
  if (request.expect_continue && !body_has_begun(r)) ask_for_body(s, r);
  if (r.stream != nullptr && upload->left > 0) widen_stream_window(r);
  r.keep_alive = lets_persist;
  r.upload = std::move(upload);
  r.upload->marked_ms = s.now_ms;
  end_request(r);
  enter(s, r, State::Receive);
  return true;
}

void answer_upload(Services& s, Request& r, const http::RequestHead& request,
                   std::string_view path) {
  const auto ticket = find_ticket(s, path.substr(kUploadPrefix.size()));
  http::ResponseHead head;
  char allow[http::kAllowBytesMax];
  std::string fields;
  if (request.method == http::Method::Options) {
    head.status = 204;
    head.allow = {allow, http::format_allow(kUploadMethods, allow)};
    return send_head(s, r, head);
  }
  if (request.method != http::Method::Head) {
    return respond_error(s, r, 405, r.keep_alive, true,
                         {allow, http::format_allow(kUploadMethods, allow)});
  }
  if (!ticket) return respond_error(s, r, 404, r.keep_alive, false);
  fields = offset_field(*ticket);
  head.status = 204;
  head.cache_control = "no-store";
  head.fields = fields;
  send_head(s, r, head);
}

}  // namespace spliced::conn
