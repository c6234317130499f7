// SPDX-License-Identifier: Apache-2.0
// From a complete head to a response that is ready to be sent. The head's bytes are at the front of
// c.input and are consumed here.
#pragma once
#include <string_view>

#include "conn/services.hpp"
#include "http/head.hpp"

namespace spliced::conn {

// ReadHead -> ReadBody where a body follows that is to be discarded; else as answer_request.
void begin_request(Services& s, Connection& c, const http::RequestHead& head);
// ReadHead, ReadBody -> Respond, or OpenFile where the disk has to be asked.
void answer_request(Services& s, Connection& c, const http::RequestHead& head);
// The same with the head at the front of c.input, which has been parsed before.
void answer_request(Services& s, Connection& c);
// ReadBody -> Respond, with 400.
void refuse_body(Services& s, Connection& c);

// Whether this path needs a certificate that the client has not shown. Asked with what was
// resolved, so that every spelling of a path is one. The service's own paths have their own rules.
bool lacks_certificate(const Services& s, const Connection& c, std::string_view path);
// The connection ends: only a new handshake can bring a certificate.
void respond_forbidden(Services& s, Connection& c, bool send_body);

// The head at the front of c.input, whose views did not outlive a wait.
http::RequestHead head_again(const Services& s, Connection& c);
// The head has been answered: it is consumed, and its route is let go.
void end_request(Connection& c);

}  // namespace spliced::conn
