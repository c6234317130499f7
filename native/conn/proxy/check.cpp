// SPDX-License-Identifier: Apache-2.0
// See check.hpp.
#include "conn/proxy/check.hpp"

#include <utility>

#include "conn/proxy/dropped_body.hpp"
#include "conn/proxy/unavailable.hpp"
#include "conn/request/answer.hpp"
#include "conn/request/routing.hpp"
#include "conn/transport.hpp"
#include "http/check_request.hpp"
#include "tls/sha256.hpp"

namespace spliced::conn {
namespace {

void tell(Services& s, const Request& r, const char* reason) {
  s.figures.checks_failed.add();
  if (s.incident_log != nullptr)
    s.incident_log->add({"authorize_failed", reason, "/" + r.route->prefix, r.route->check});
}

void go_on(Services& s, Request& r, std::string_view added) {
  r.checked = true;
  r.added_fields = added;
  resume_checked(s, r);
}

void respond_busy(Services& s, Request& r, const http::RequestHead& request) {
  tell(s, r, "too_many");
  if (r.route->check_falls_back) return go_on(s, r, http::kUnansweredLine);
  respond_unavailable(s, r, 503, request.method, /*wants_html=*/false);
  end_request(r);
}

// Ends the check alone: the route is that of the request.
void release_check(Services& s, Request& r) {
  const std::shared_ptr<OpenSite> site = r.site;
  const http::Route* route = r.route;
  release_exchange(s, r);
  r.site = site;
  r.route = route;
}

// The whole question and the route, without the request's id, which always differs. Empty: the
// answer must not be remembered.
std::string key_of(const Request& r, std::string_view question, std::string_view request_id) {
  const http::Route* route = r.route;
  const size_t id = question.rfind(request_id);
  if (route->check_remember_ms == 0 || id == question.npos) return {};
  tls::Sha256 digest;
  (void)digest.update(&route, sizeof route);
  (void)digest.update(question.data(), id);
  const std::string_view rest = question.substr(id + request_id.size());
  (void)digest.update(rest.data(), rest.size());
  return digest.finish();
}

bool write_check(Services& s, Request& r, Exchange& x, const http::RequestHead& request,
                 std::string_view host) {
  x.to_upstream.hold(s.buffers, room_for_request(s, r));
  const bool written = with_forwarding(s, r, host, [&](http::Forwarding forwarding) {
    forwarding.own = false;  // the checking application never gets the session cookie
    const size_t bytes =
        http::format_check_request(head_text_of(r), request, forwarding, r.route->check_path,
                                   x.to_upstream.tail(), x.to_upstream.room());
    if (bytes > 0) x.check_key = key_of(r, {x.to_upstream.tail(), bytes}, forwarding.request_id);
    x.to_upstream.end += bytes;
    return bytes > 0;
  });
  return written;
}

// Whether a remembered answer lets the request pass.
bool pass_remembered(Services& s, Request& r, Exchange& x) {
  const std::string* added =
      x.check_key.empty() ? nullptr : r.site->remembered.find(x.check_key, s.now_ms);
  if (added == nullptr) return false;
  x.to_upstream.release(s.buffers);
  s.figures.checks_remembered.add();
  go_on(s, r, *added);
  return true;
}

}  // namespace

bool needs_check(const Request& r) {
  if (r.route == nullptr || r.route->check.empty() || r.checked) return false;
  return !(r.route->check_spares_tokens && http::has_bearer_token(head_text_of(r)));
}

void begin_check(Services& s, Request& r, const http::RequestHead& request, std::string_view host) {
  ExchangePtr x(new Exchange);
  if (!write_check(s, r, *x, request, host)) {
    x->to_upstream.release(s.buffers);
    respond_error(s, r, 400, r.keep_alive, request.method != http::Method::Head);
    return end_request(r);
  }
  if (pass_remembered(s, r, *x)) return;
  if (s.checks >= limits::kChecksMax) {
    x->to_upstream.release(s.buffers);
    return respond_busy(s, r, request);
  }
  x->check = x->request_over = true;
  x->method = request.method == http::Method::Head ? http::Method::Head : http::Method::Get;
  x->client_minor_version = request.minor_version;
  x->heard_ms = x->fed_ms = s.now_ms;
  r.exchange = std::move(x);
  s.checks++;
  if (!obtain_upstream(s, r, /*fresh=*/false)) (void)fail_check(s, r, "unreachable");
}

Flow take_check(Services& s, Request& r, std::string_view head, const http::UpstreamHead& parsed) {
  Exchange& x = *r.exchange;
  const uint16_t status = parsed.status;
  const bool redirects =
      status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
  if (status == 401 || status == 403 || redirects) {
    // From here on the answer is relayed as any other, and the request is over.
    s.figures.checks_denied.add();
    s.checks--;
    x.check = false;
    consume_head(r);
    return Flow::Moved;
  }
  if (status < 200 || status > 299) return fail_check(s, r, "status");
  std::string added = http::chosen_fields(head, r.route->check_fields);
  if (added.size() > limits::kCheckFieldBytesMax) return fail_check(s, r, "long_fields");
  if (http::is_reserved(r.route->prefix)) added += http::kPassedLine;
  if (!x.check_key.empty() && added.size() <= limits::kRememberedFieldBytesMax &&
      http::may_be_remembered(head))
    r.site->remembered.keep(std::move(x.check_key), added, s.now_ms + r.route->check_remember_ms);
  // The check is a GET, whatever the client's method was, so its answer may have a body.
  drop_body(s, r, head.size(), parsed, http::Method::Get);
  release_check(s, r);
  s.figures.checks_passed.add();
  go_on(s, r, added);
  return Flow::Ended;
}

Flow fail_check(Services& s, Request& r, const char* reason) {
  tell(s, r, reason);
  if (r.route->check_falls_back) {
    release_check(s, r);
    go_on(s, r, http::kUnansweredLine);
    return Flow::Ended;
  }
  const http::RequestHead request = head_again(s, r);
  respond_unavailable(s, r, 502, request.method, /*wants_html=*/false);
  release_exchange(s, r);
  end_request(r);
  return Flow::Ended;
}

}  // namespace spliced::conn
