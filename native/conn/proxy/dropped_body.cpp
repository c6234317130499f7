// SPDX-License-Identifier: Apache-2.0
// See dropped_body.hpp.
#include "conn/proxy/dropped_body.hpp"

namespace spliced::conn {

void drop_body(Services& s, Request& r, size_t head_bytes, const http::UpstreamHead& parsed,
               http::Method asked) {
  Exchange& x = *r.exchange;
  const http::Framing from = http::framing_of(parsed, asked == http::Method::Head);
  x.from_upstream.begin += head_bytes;
  const bool framed = from == http::Framing::Length || from == http::Framing::Chunked;
  x.upstream_persists = parsed.keep_alive && framed;
  if (!x.upstream_persists) return;
  http::BodyReader body = from == http::Framing::Chunked
                              ? http::BodyReader::of_chunks()
                              : http::BodyReader::of_length(parsed.content_length);
  for (uint64_t left = limits::kDroppedBodyBytesMax; !body.done();) {
    Span& here = x.from_upstream;
    if (here.empty() && read_upstream(s, r).io != os::Io::Done) return;
    const http::BodyReader::Result result = body.feed({here.data(), here.size()});
    const bool faulty = result.verdict != http::BodyReader::Verdict::More &&
                        result.verdict != http::BodyReader::Verdict::Done;
    if (faulty || result.consumed > left) return;
    left -= result.consumed;
    here.begin += result.consumed;
  }
  x.response_over = true;
}

}  // namespace spliced::conn
