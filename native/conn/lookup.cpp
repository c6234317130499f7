// SPDX-License-Identifier: Apache-2.0
// See lookup.hpp. A step that had to wait for the disk begins again at its own place: Lookup says
// where, and the head is read again, since its bytes are still there.
#include "conn/lookup.hpp"

#include "base/assert.hpp"
#include "conn/answer.hpp"
#include "conn/file_response.hpp"
#include "conn/open_file.hpp"
#include "conn/request.hpp"
#include "http/negotiation.hpp"

namespace spliced::conn {
namespace {

http::RequestHead head_again(Services& s, Connection& c) {
  http::RequestHead request;
  const http::HeadResult again = http::parse_head({c.input.data(), c.input.size()}, request);
  SPLICED_ASSERT(again.outcome == http::Outcome::Complete && again.consumed == c.head_bytes);
  if (s.stopping) c.keep_alive = false;
  return request;
}

void refuse(Services& s, Connection& c, const http::RequestHead& request, uint16_t status) {
  respond_error(s, c, status, c.keep_alive, request.method == http::Method::Get);
  consume_head(c);
}

void send_file(Services& s, Connection& c, const http::RequestHead& request, files::FilePtr file) {
  if (!ensure_small_body(s, c, file)) return;
  respond_file(s, c, request, std::move(file));
  consume_head(c);
}

// The best variant that there is and that the client takes (RFC 9110 12.1), else the file itself.
void send_variant(Services& s, Connection& c, const http::RequestHead& request) {
  files::File& original = *c.lookup.original;
  const http::Preference wanted = http::negotiate(request.accept_encoding);
  for (size_t i = 0; i < wanted.count; i++) {
    const http::Coding coding = wanted.order[i];
    if (!s.files.knows_variant(original, coding, s.now_ms)) {
      c.lookup.coding = coding;
      c.path.append(http::name_of(coding).suffix);
      if (!s.files.find_variant(original, coding, c.path, s.now_ms)) return begin_open(s, c);
      c.path.resize(c.lookup.path_bytes);
    }
    // A copy: the cache may have let go of the original meanwhile, and its variants go with it.
    if (files::FilePtr variant = original.variants[static_cast<size_t>(coding)].file) {
      c.lookup.original.reset();
      return send_file(s, c, request, std::move(variant));
    }
  }
  const files::FilePtr file = std::move(c.lookup.original);
  if (!wanted.identity) return refuse(s, c, request, 406);
  send_file(s, c, request, file);
}

void take(Services& s, Connection& c, const http::RequestHead& request, files::Found found) {
  switch (found.verdict) {
    case files::Found::Verdict::File:
      c.lookup.original = std::move(found.file);
      c.lookup.path_bytes = c.path.size();
      return send_variant(s, c, request);
    case files::Found::Verdict::Unavailable:
      return refuse(s, c, request, 503);
    default:
      return refuse(s, c, request, 404);
  }
}

}  // namespace

void look_up(Services& s, Connection& c, const http::RequestHead& request) {
  files::Found found = s.files.find(c.path, s.now_ms);
  if (found.verdict == files::Found::Verdict::NeedOpen) return begin_open(s, c);
  take(s, c, request, std::move(found));
}

void resume_opened(Services& s, Connection& c, int opened) {
  const http::RequestHead request = head_again(s, c);
  if (!c.lookup.original) return take(s, c, request, s.files.adopt(c.path, opened, s.now_ms));
  s.files.adopt_variant(*c.lookup.original, c.lookup.coding, opened, s.now_ms);
  c.path.resize(c.lookup.path_bytes);
  send_variant(s, c, request);
}

void resume_body(Services& s, Connection& c, files::FilePtr file) {
  const http::RequestHead request = head_again(s, c);
  respond_file(s, c, request, std::move(file));
  consume_head(c);
}

}  // namespace spliced::conn
