// SPDX-License-Identifier: Apache-2.0
// What the peer sends while a request is being read: data into c.input, and what is no data
// (alerts, control records, errors, the end) dealt with here, for read_head.cpp and read_body.cpp.
#pragma once
#include "conn/services.hpp"

namespace spliced::conn {

// One read. True: more bytes are at the end of c.input. False: `turn` is what the state's function
// answers; for Wait there is nothing to read for now. Only while c.readable, with room in c.input.
bool receive(Services& s, Connection& c, Turn& turn);

// What a read has given at the tail of c.input, which may be anything. As receive().
bool take_received(Services& s, Connection& c, const os::Received& got, Turn& turn);

// So many bytes of content came: the limit of records under one key is looked at. True: reached.
bool count_received(Services& s, Connection& c, size_t bytes);

// Before a state waits for the peer: the last response may still be with the cipher, so ticks go on
// until it is known to be TCP's.
void watch_last_response(Services& s, Connection& c);

}  // namespace spliced::conn
