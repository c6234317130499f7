// SPDX-License-Identifier: Apache-2.0
// See exchange.hpp. Here: begin, end and failure of an exchange, and the loop over both pumps.
#include "conn/proxy/exchange.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "conn/proxy/check.hpp"
#include "conn/proxy/unavailable.hpp"
#include "conn/request/answer.hpp"
#include "conn/request/routing.hpp"
#include "conn/transport.hpp"
#include "http/hand_over.hpp"
#include "http/routes.hpp"
#include "http/trailers.hpp"
#include "http/upstream_request.hpp"
#include "os/socket_io.hpp"

namespace spliced::conn {
namespace {

std::string hexadecimal(const std::array<uint8_t, 32>& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

// Writes the head for the backend to x.to_upstream. False: it does not fit.
bool write_request(Services& s, Request& r, Exchange& x, const http::RequestHead& request,
                   std::string_view host) {
  x.to_upstream.hold(s.buffers, room_for_request(s, r));
  return with_forwarding(s, r, host, [&](const http::Forwarding& forwarding) {
    const size_t bytes = http::format_upstream_request(head_text_of(r), request, forwarding,
                                                       x.to_upstream.tail(), x.to_upstream.room());
    x.to_upstream.end += bytes;
    return bytes > 0;
  });
}

bool asks_for_html(const http::RequestHead& request) {
  http::ListField accept = request.accept;
  std::string_view line;
  while (request.method == http::Method::Get && http::take_line(accept, line))
    if (line.find("text/html") != std::string_view::npos) return true;
  return false;
}

void describe(Exchange& x, const Request& r, const http::RequestHead& request, uint64_t now_ms) {
  x.takes_trailers = frames_bodies(r) ||
                     (request.minor_version > 0 && http::takes_trailers(head_text_of(r)));
  x.method = request.method;
  x.client_minor_version = request.minor_version;
  x.wants_html = asks_for_html(request);
  x.upgrades = request.upgrades_to_websocket;
  x.has_body = request.has_body;
  x.chunked = request.chunked;
  x.request_over = !request.has_body;
  if (request.has_body)
    x.request_body = request.chunked ? http::BodyReader::of_chunks()
                                     : http::BodyReader::of_length(request.content_length);
  x.heard_ms = x.fed_ms = now_ms;
}

uint16_t status_of(UpstreamFailure failure) {
  switch (failure) {
    case UpstreamFailure::Refused:
    case UpstreamFailure::Exhausted:
      return 503;
    case UpstreamFailure::Connect:
    case UpstreamFailure::Response:
      return 504;
    default:
      return 502;
  }
}

// RFC 9110 9.2.2: such a request may be sent twice.
bool is_idempotent(http::Method method) {
  switch (method) {
    case http::Method::Get:
    case http::Method::Head:
    case http::Method::Options:
    case http::Method::Put:
    case http::Method::Delete:
      return true;
    default:
      return false;
  }
}

// Whether the client has to send more of the body, and the backend has all that it has sent.
bool waits_for_body(const Request& r) {
  const Exchange& x = *r.exchange;
  if (state_of(r) != State::Exchange || x.request_over || x.request_given_up) return false;
  return x.to_upstream.empty() && x.pipe_bytes == 0 && input_of(r).empty();
}

void mark_feeding(const Services& s, Exchange& x) {
  x.fed_mark = x.fed_bytes;
  x.fed_ms = s.now_ms;
}

// Whether the body arrived at the least rate over the last request time-out, as is required of a
// response.
bool feeds_enough(const Services& s, Exchange& x) {
  const uint64_t elapsed_ms = s.now_ms - x.fed_ms;
  if (elapsed_ms < s.options.request_timeout_ms) return true;
  const uint64_t fed = x.fed_bytes - x.fed_mark;
  mark_feeding(s, x);
  x.heard_ms = s.now_ms;
  return fed > 0 && fed >= elapsed_ms * s.options.send_rate_min_bytes_per_s / 1000;
}

}  // namespace

void EndExchange::operator()(Exchange* exchange) const {
  delete exchange;
}

bool with_forwarding(Services& s, Request& r, std::string_view host,
                     const std::function<bool(const http::Forwarding&)>& write) {
  const std::string address = peer_address_of(r), id = s.next_request_id();
  std::string fingerprint;
  http::Forwarding forwarding;
  forwarding.host = host;
  forwarding.client_address = address;
  forwarding.request_id = id;
  forwarding.own = http::is_reserved(r.route->prefix);
  forwarding.added = r.added_fields;
  forwarding.reserved = &r.route->check_fields;
  if (client_of(r)) {
    fingerprint = hexadecimal(client_of(r)->sha256);
    forwarding.certificate_subject = client_of(r)->subject;
    forwarding.certificate_fingerprint = fingerprint;
  }
  return write(forwarding);
}

size_t room_for_request(const Services& s, Request& r) {
  const size_t wanted = head_text_of(r).size() + s.options.head.fields_max + r.added_fields.size() +
                        r.route->check_path.size() + 2 * s.options.head.target_bytes_max +
                        limits::kPassedHeadExtraBytes;
  return std::min(wanted, limits::kLargeBufferBytesMax);
}

bool obtain_upstream(Services& s, Request& r, bool fresh) {
  Exchange& x = *r.exchange;
  const std::string& address = x.check ? r.route->check : r.route->upstream;
  Upstream* u = fresh ? nullptr : take_idle_upstream(s, address, r);
  const bool connected = u != nullptr;
  if (!connected) u = open_upstream(s, address, r);
  if (u == nullptr) return false;
  x.upstream = u->slot;
  x.heard_ms = s.now_ms;
  enter(s, r, connected ? State::Exchange : State::Connect);
  arm_exchange(s, r);
  return true;
}

Upstream& upstream_of(Services& s, Request& r) {
  SPLICED_ASSERT(r.exchange && r.exchange->upstream != kNoSlot);
  return s.upstreams.slots[r.exchange->upstream];
}

void begin_proxy(Services& s, Request& r, const http::RequestHead& request, std::string_view host) {
  const bool body = request.method != http::Method::Head;
  ExchangePtr x(new Exchange);
  // A backend that does not resolve "/app/../admin" would read another path than this server.
  if (http::is_ambiguous_path(request.target) || !write_request(s, r, *x, request, host)) {
    x->to_upstream.release(s.buffers);
    respond_error(s, r, 400, r.keep_alive && !request.has_body, body);
    return end_request(r);
  }
  describe(*x, r, request, s.now_ms);
  if (!r.route->accelerate.empty()) {
    x->conditions = http::keep_request(head_text_of(r), request.method);
    x->host = host;
  }
  r.exchange = std::move(x);
  consume_head(r);
  if (!obtain_upstream(s, r, /*fresh=*/false)) fail_exchange(s, r, UpstreamFailure::Exhausted);
}

void let_go_of_upstream(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  if (x.upstream == kNoSlot) return;
  Upstream& u = upstream_of(s, r);
  const bool clean = x.request_over && !x.request_given_up && x.pipe_bytes == 0 &&
                     x.to_upstream.empty() && x.from_upstream.empty();
  if (x.response_over && x.upstream_persists && clean && !x.tunnel) {
    keep_upstream(s, u);
  } else {
    end_upstream(s, u);
  }
  x.upstream = kNoSlot;
}

void release_exchange(Services& s, Request& r) {
  if (!r.exchange) return;
  Exchange& x = *r.exchange;
  let_go_of_upstream(s, r);
  x.to_upstream.release(s.buffers);
  x.from_upstream.release(s.buffers);
  if (x.pipe) s.pipes.give(std::move(x.pipe), x.pipe_bytes == 0);
  if (x.tunnel) s.figures.websockets.sub();
  if (x.check) s.checks--;
  r.exchange.reset();
  r.route = nullptr;
  r.site.reset();
  r.checked = false;
  r.added_fields.clear();
}

namespace {

// The head is queued, with the beginning of the body, and none of it has been sent.
void withdraw_head(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  output_of(r).release(s.buffers);
  if (r.pipe) s.pipes.give(std::move(r.pipe), r.pipe_bytes == 0);
  r.pipe_bytes = x.direct_bytes = 0;
  x.head_done = false;
}

}  // namespace

Flow refuse_exchange(Services& s, Request& r, uint16_t status) {
  Exchange& x = *r.exchange;
  if (x.check) return fail_check(s, r, status == 504 ? "timeout" : "unreachable");
  if (x.head_done && !x.head_left) withdraw_head(s, r);
  const bool fits = output_of(r).empty();  // no interim response is half sent
  if (x.head_done || !fits) {
    abort(s, r, Ending::Aborted);
    return Flow::Ended;
  }
  if (!x.request_over && !frames_bodies(r)) r.keep_alive = false;
  respond_unavailable(s, r, status, x.method, x.wants_html);
  release_exchange(s, r);
  return Flow::Ended;
}

Flow fail_exchange(Services& s, Request& r, UpstreamFailure failure) {
  s.figures.upstream_failures[static_cast<size_t>(failure)].add();
  return refuse_exchange(s, r, status_of(failure));
}

Flow upstream_has_left(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  const bool twice = !x.answered && !x.has_body && !x.upgrades && is_idempotent(x.method);
  const bool safe = upstream_of(s, r).reused && !x.retried && (twice || !x.asked);
  if (!safe) return fail_exchange(s, r, UpstreamFailure::Closed);
  s.figures.upstream_retries.add();
  let_go_of_upstream(s, r);
  x.retried = true;
  x.request_given_up = x.asked = false;
  x.to_upstream.begin = 0;
  if (!obtain_upstream(s, r, /*fresh=*/true)) fail_exchange(s, r, UpstreamFailure::Exhausted);
  return Flow::Ended;
}

uint32_t upstream_timeout_ms(const Request& r) {
  if (r.exchange->check) return r.route->check_timeout_ms;
  if (state_of(r) == State::Connect) return r.route->connect_timeout_ms;
  const bool tunnel = r.exchange->tunnel && !r.exchange->half_closed;
  const bool stream = r.exchange->event_stream || tunnel;
  return stream ? r.route->stream_timeout_ms : r.route->response_timeout_ms;
}

void arm_exchange(Services& s, Request& r) {
  const Exchange& x = *r.exchange;
  // A check is bounded as a whole, from its begin, so that single bytes now and then do not extend
  // it.
  if (x.check) return set_deadline(s, r, std::max(x.fed_ms + upstream_timeout_ms(r), s.now_ms + 1));
  const uint64_t at = waits_for_body(r) ? x.fed_ms + s.options.request_timeout_ms
                                        : x.heard_ms + upstream_timeout_ms(r);
  set_deadline(s, r, std::clamp(at, s.now_ms + 1, s.now_ms + s.options.stall_timeout_ms));
}

void on_exchange_deadline(Services& s, Request& r) {
  Exchange& x = *r.exchange;
  if (x.check) {
    (void)fail_check(s, r, "timeout");
    return;
  }
  if (waits_for_body(r)) {
    if (feeds_enough(s, x)) return arm_exchange(s, r);
    s.figures.overdue[static_cast<size_t>(Overdue::Request)].add();
    refuse_exchange(s, r, 408);
    return;
  }
  mark_feeding(s, x);
  if (s.now_ms - x.heard_ms < upstream_timeout_ms(r)) return arm_exchange(s, r);
  const bool connecting = state_of(r) == State::Connect;
  fail_exchange(s, r, connecting ? UpstreamFailure::Connect : UpstreamFailure::Response);
}

Turn exchange(Services& s, Request& r) {
  for (int i = 0; i < limits::kPumpsPerTurn; i++) {
    const Flow request = r.exchange->upstream == kNoSlot ? Flow::Blocked : forward(s, r);
    if (request == Flow::Ended) return Turn::Again;
    const Flow response = relay(s, r);
    if (response == Flow::Ended) return Turn::Again;
    if (request == Flow::Blocked && response == Flow::Blocked) return Turn::Wait;
  }
  return Turn::Yield;
}

}  // namespace spliced::conn
