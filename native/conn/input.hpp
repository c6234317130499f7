// SPDX-License-Identifier: Apache-2.0
// Receives what the peer sends while a request is being read: data goes into c.input; anything else
// (alerts, control records, errors, the end) is handled here. For read_head.cpp and read_body.cpp.
#pragma once
#include "conn/services.hpp"

namespace spliced::conn {

// One read. True: it has appended bytes to c.input. False: `turn` is the result for the state's
// function; Wait means that there is nothing to read for now. To be called only while
// c.edges.readable, with room in c.input.
bool receive(Services& s, Connection& c, Turn& turn);

// Handles the result of a read into the tail of c.input. Returns as receive().
bool take_received(Services& s, Connection& c, const os::Received& got, Turn& turn);

// Counts received bytes of content against the limit of records under one key. True: reached.
bool count_received(Services& s, Connection& c, size_t bytes);

// To be called before a state waits for the peer: the last response may still be with the cipher,
// so ticks continue until TCP is known to have it.
void watch_last_response(Services& s, Connection& c);

}  // namespace spliced::conn
