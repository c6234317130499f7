// SPDX-License-Identifier: Apache-2.0
// From a complete head to a response that is ready to be sent. The head's bytes are at the front of
// c.input and are consumed here.
#pragma once
#include "conn/services.hpp"
#include "http/head.hpp"

namespace spliced::conn {

// ReadHead -> Respond, or OpenFile where the disk has to be asked.
void begin_request(Services& s, Connection& c, const http::RequestHead& head);
// OpenFile -> Respond, with what was found.
void resume_request(Services& s, Connection& c, const files::Found& found);

}  // namespace spliced::conn
