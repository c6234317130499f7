// SPDX-License-Identifier: Apache-2.0
// From a stream's fields to a request that is answered by what answers HTTP/1.1's. A body where the
// route takes none is read to its end first, up to the same bound.
#include <utility>

#include "base/assert.hpp"
#include "conn/h2/mux.hpp"
#include "conn/request/answer.hpp"
#include "conn/request/routing.hpp"
#include "conn/transport.hpp"
#include "http/routes.hpp"
#include "tls/websocket_key.hpp"

namespace spliced::conn {
namespace {

using Fields = http::RequestFields::Verdict;

void reject(Services& s, Stream& st, const http::RequestFields& fields, uint16_t status) {
  respond_error(s, st.request, status, /*keep_alive=*/true, !fields.is_head_request());
  consume_head(st.request);
}

// RFC 9110 15.5.20, RFC 9113 9.1.1. The connection goes on, for the names that it is for.
void reject_misdirected(Services& s, Stream& st, const http::RequestFields& fields) {
  s.figures.streams_misdirected.add();
  reject(s, st, fields, 421);
}

// Buffers of a response that are held, or will be as soon as the disk has answered.
size_t buffers_of(const Mux& m) {
  size_t count = 0;
  for (const Stream* st : m.streams)
    if (st->admitted && !st->closed && (st->output.memory || st->state == State::OpenFile)) count++;
  return count;
}

// Whoever takes it is known by the head.
bool is_taken(const Services& s, const http::RequestHead& head) {
  if (!head.has_body) return false;
  return goes_to_backend(s, head) || (head.method == http::Method::Put && is_upload(head));
}

bool waits_for_body(const Services& s, const Stream& st, const http::RequestHead& head) {
  return head.has_body && !st.ended && !head.expect_continue &&
         head.content_length <= s.options.discarded_body_bytes_max && !st.keeps_body;
}

}  // namespace

bool is_for_another_name(const Request& r, std::string_view host) {
  if (r.stream == nullptr) return false;
  const tls::ServedName& name = *r.connection->h2->name;
  return name.has_sni() && !name.is_for(http::host_name(host));
}

bool came_before_certificates(const Services& s, const Request& r) {
  if (r.stream == nullptr || r.connection->h2->name->asked_for_certificate()) return false;
  return s.generation && s.generation->trust() != nullptr;
}

void begin_stream(Services& s, Stream& st) {
  Mux& m = *st.request.connection->h2;
  Request& r = st.request;
  if (st.complete) return;
  if (st.state == State::ReadHead) {
    const http::RequestFields fields = std::move(m.fields);
    tls::WebSocketKey websocket;
    if (fields.opens_websocket()) websocket = tls::new_websocket_key();
    const Fields verdict = fields.finish(st.ended, st.head, websocket.key);
    if (verdict == Fields::Malformed) {
      s.figures.streams_malformed.add();
      m.session->reset(st.id, h2::Code::ProtocolError);
      return enter(s, st, State::Join);
    }
    if (verdict == Fields::OtherProtocol) return reject(s, st, fields, 501);
    if (fields.opens_websocket() && websocket.accept.empty()) return reject(s, st, fields, 500);
    const http::RequestHead& head = st.parsed;
    http::HeadResult result{http::Outcome::Rejected, 0, 431, nullptr};
    if (verdict == Fields::Good) result = http::parse_head(st.head, st.parsed, s.options.head);
    if (result.outcome != http::Outcome::Complete)
      return reject(s, st, fields, result.outcome == http::Outcome::Rejected ? result.status : 431);
    if (m.name->is_misdirected(http::host_name(head.host)))
      return reject_misdirected(s, st, fields);
    r.head_bytes = result.consumed;
    st.accepted = true;
    st.websocket_accept = std::move(websocket.accept);
    st.keeps_body = opens_tunnel(r) || is_taken(s, head);
    if (waits_for_body(s, st, head)) return enter(s, st, State::ReadBody);
  }
  st.complete = true;
  st.deadline_ms = 0;  // it waits for us
  m.waiting.push_back(&st);
}

void begin_waiting(Services& s, Mux& m) {
  while (!m.waiting.empty() && buffers_of(m) < limits::kStreamBuffersMax) {
    Stream& st = *m.waiting.front();
    m.waiting.erase(m.waiting.begin());
    st.admitted = true;
    answer_stream_request(s, st.request);
    run_stream(s, st);
  }
}

}  // namespace spliced::conn
