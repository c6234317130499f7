// SPDX-License-Identifier: Apache-2.0
// What goes on of a backend's trailer section to a client (RFC 9110 6.5): a field that means
// something before the content only, or to a connection, would come too late, or be believed where
// it was not judged. Called by conn's relay. No I/O.
#pragma once
#include <string>
#include <string_view>

namespace spliced::http {

// RFC 9110 6.5.1: no field of framing, routing, request modifiers, authentication, response control
// data or of how the content is read; none of a connection (7.6.1), and none of ours.
bool may_trail(std::string_view name);

// Whole lines, without the empty one. `section`: field lines and the empty line, as body.hpp has
// accepted them. Left out is also what `connection`, the backend's Connection field, names, and
// what the lines of `fields` have, since the route says that.
std::string trailers_for_client(std::string_view section, std::string_view connection,
                                std::string_view fields);

// The client of this head takes them (RFC 9110 10.1.4).
bool takes_trailers(std::string_view head);

}  // namespace spliced::http
