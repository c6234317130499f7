// SPDX-License-Identifier: Apache-2.0
// The head of a response, as HTTP/1.1 has it, becomes fields (RFC 9113 8.3.2): those of the
// connection are left out (8.2.2).
#include <string>

#include "base/assert.hpp"
#include "conn/h2/mux.hpp"
#include "conn/proxy/exchange.hpp"
#include "conn/transport.hpp"
#include "http/fields.hpp"
#include "http/syntax.hpp"

namespace spliced::conn {
namespace {

constexpr size_t kStatusAt = 9, kStatusBytes = 3;  // "HTTP/1.1 200"
constexpr size_t kUsualFields = 16;                // of a response; more cost an allocation

// Trailer is there only where they follow (http::Relay), and may be said (RFC 9110 6.6.2).
bool is_sent(std::string_view name) {
  return !http::is_hop_by_hop(name) || http::equals_ignoring_case(name, "trailer");
}

std::vector<h2::Field> fields_of(std::string_view head) {
  std::vector<h2::Field> fields;
  fields.reserve(kUsualFields);
  fields.push_back({":status", head.substr(kStatusAt, kStatusBytes)});
  http::Fields lines(head);
  std::string_view name, value;
  while (lines.next(name, value))
    if (is_sent(name)) fields.push_back({name, value});
  return fields;
}

}  // namespace

void submit_trailers(Mux& m, Stream& st) {
  std::vector<h2::Field> fields;
  std::string_view lines = st.trailers, name, value;
  while (http::take_field(lines, name, value)) fields.push_back({name, value});
  m.session->trail(st.id, fields);
}

void inform_client(Services& s, Request& r) {
  Stream& st = *r.stream;
  const std::string_view head{st.output.data(), st.output.size()};
  r.connection->h2->session->inform(st.id, fields_of(head));
  st.output.release(s.buffers);
  st.informing = true;
}

void submit_response(Services& s, Stream& st) {
  Request& r = st.request;
  Mux& m = *r.connection->h2;
  SPLICED_ASSERT(!st.answered && st.head_end > st.output.begin);
  const std::string_view head{st.output.data(), st.head_end - st.output.begin};
  const bool to_come = r.exchange && !r.exchange->response_over;
  const bool has_body = st.output.end > st.head_end || r.body_remaining > 0 || r.parts != nullptr ||
                        to_come || !st.trailers.empty();
  st.answered = true;
  const bool sent = m.session->respond(st.id, fields_of(head), has_body);
  st.output.begin = st.head_end;
  if (st.output.empty()) st.output.release(s.buffers);
  if (!sent) return abort(s, st);
  if (!r.exchange) enter(s, st, State::Splice);
  // A client whose certificate is to be judged anew, or who has had its share of requests.
  if (st.accepted && !r.keep_alive && !s.stopping) m.end_gracefully();
}

}  // namespace spliced::conn
