// SPDX-License-Identifier: Apache-2.0
// From a complete head to a response that is ready to be sent. The head's bytes are at the front of
// c.input and are consumed here.
#pragma once
#include "conn/services.hpp"
#include "http/head.hpp"

namespace spliced::conn {

// ReadHead -> Respond, or OpenFile where the disk has to be asked.
void begin_request(Services& s, Connection& c, const http::RequestHead& head);
// The head has been answered.
void consume_head(Connection& c);

}  // namespace spliced::conn
