// SPDX-License-Identifier: Apache-2.0
// From a complete head to a response that is ready to be sent. The head is at the front of the
// input, and is consumed here.
#pragma once
#include <string_view>

#include "conn/services.hpp"
#include "http/head.hpp"

namespace spliced::conn {

// ReadHead -> ReadBody if a body follows that is to be discarded; otherwise as answer_request.
void begin_request(Services& s, Request& r, const http::RequestHead& head);
// ReadHead, ReadBody -> Respond, or OpenFile if the disk must be read.
void answer_request(Services& s, Request& r, const http::RequestHead& head);
// The same, with the head at the front of the input, where it has been parsed before.
void answer_request(Services& s, Request& r);
// HTTP/2: the same for a stream whose request is complete. Its head has been kept.
void answer_stream_request(Services& s, Request& r);
// Whether a proxy route answers it: then its body is for the backend, and is not read before.
bool goes_to_backend(const Services& s, const http::RequestHead& request);
// The check has let it pass: its route serves it.
void resume_checked(Services& s, Request& r);
// ReadBody -> Respond, with 400.
void refuse_body(Services& s, Request& r);

// Whether this path needs a client certificate that is missing. `path` has been resolved, so that
// all spellings are one. The service's own paths have rules of their own.
bool lacks_certificate(const Services& s, const Request& r, std::string_view path);
// Refuses the request and ends the connection, because only a new handshake can bring a
// certificate. The status is 421 (RFC 9110 15.5.20) if a client that knows it makes a new
// connection by itself: over HTTP/2, for a `host` for which the connection was not made (its other
// names go on), and if no certificate was requested in the handshake.
void respond_forbidden(Services& s, Request& r, std::string_view host, bool send_body);

// The head has been answered: consumes it and releases its route.
void end_request(Request& r);

}  // namespace spliced::conn
