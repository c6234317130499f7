// SPDX-License-Identifier: Apache-2.0
// See unavailable.hpp.
#include "conn/proxy/unavailable.hpp"

#include "conn/request/answer.hpp"

namespace spliced::conn {
namespace {

// Has no script and loads no file, so that no Content-Security-Policy prevents it.
constexpr std::string_view kStartingPage =
    "<!doctype html>\n"
    "<html lang=\"en\">\n"
    "<head>\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<meta http-equiv=\"refresh\" content=\"2\">\n"
    "<title>Starting</title>\n"
    "</head>\n"
    "<body>\n"
    "<h1>Starting</h1>\n"
    "<p>The application is not ready yet. This page loads again by itself.</p>\n"
    "</body>\n"
    "</html>\n";
static_assert(limits::kRetryAfterS == 2, "as the page says");

std::string_view reason_for(uint16_t status) {
  switch (status) {
    case 502:
      return "502 Bad Gateway: the application behind this path gave no usable answer\n";
    case 503:
      return "503 Service Unavailable: the application behind this path is not ready\n";
    case 504:
      return "504 Gateway Timeout: the application behind this path did not answer in time\n";
    default:
      return http::error_body(status);
  }
}

}  // namespace

void respond_unavailable(Services& s, Request& r, uint16_t status, http::Method method,
                         bool wants_html) {
  const bool page = wants_html && status == 503;
  http::ResponseHead head;
  head.status = status;
  head.content_type = page ? "text/html; charset=utf-8" : "text/plain; charset=utf-8";
  if (status == 503) head.retry_after_s = limits::kRetryAfterS;
  respond_text(s, r, head, page ? kStartingPage : reason_for(status), method != http::Method::Head);
}

}  // namespace spliced::conn
