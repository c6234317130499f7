// SPDX-License-Identifier: Apache-2.0
// From a complete head to a response that is ready to be sent. The head's bytes are at the front of
// c.input and are consumed here.
#pragma once
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
// OpenFile -> Respond, with what was found.
void resume_request(Services& s, Connection& c, const files::Found& found);

}  // namespace spliced::conn
