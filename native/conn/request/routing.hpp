// SPDX-License-Identifier: Apache-2.0
// From a complete head to a response that is ready to be sent. The head's bytes are at the front of
// input and are consumed here.
#pragma once
#include <string_view>

#include "conn/services.hpp"
#include "http/head.hpp"

namespace spliced::conn {

// ReadHead -> ReadBody where a body follows that is to be discarded; else as answer_request.
void begin_request(Services& s, Request& r, const http::RequestHead& head);
// ReadHead, ReadBody -> Respond, or OpenFile where the disk has to be asked.
void answer_request(Services& s, Request& r, const http::RequestHead& head);
// The same with the head at the front of the input, which has been parsed before.
void answer_request(Services& s, Request& r);
// HTTP/2: the same for a stream whose request is complete, its head kept.
void answer_stream_request(Services& s, Request& r);
// A proxy route is to answer it: its body is the backend's, and is not read before.
bool goes_to_backend(const Services& s, const http::RequestHead& request);
// Its check has let it pass: it is served by the route that it has.
void resume_checked(Services& s, Request& r);
// ReadBody -> Respond, with 400.
void refuse_body(Services& s, Request& r);

// Whether this path needs a certificate that the client has not shown. Asked with what was
// resolved, so that every spelling of a path is one. The service's own paths have their own rules.
bool lacks_certificate(const Services& s, const Request& r, std::string_view path);
// The connection ends: only a new handshake can bring a certificate. Where a client that knows 421
// (RFC 9110 15.5.20) makes one by itself, it is that: over HTTP/2, for a `host` that the connection
// was not made for, whose other names go on, and where nobody was asked in its handshake.
void respond_forbidden(Services& s, Request& r, std::string_view host, bool send_body);

// The head has been answered: it is consumed, and its route is let go.
void end_request(Request& r);

}  // namespace spliced::conn
