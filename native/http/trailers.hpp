// SPDX-License-Identifier: Apache-2.0
// Decides which fields of a backend's trailer section go to the client (RFC 9110 6.5). A field that
// has a meaning only before the content, or for a connection, would come too late, or would be
// believed without having been checked. Called by conn's relay. No I/O.
#pragma once
#include <string>
#include <string_view>

namespace spliced::http {

// RFC 9110 6.5.1: forbids fields of framing, routing, request modifiers, authentication, response
// control data and content interpretation. Also those of a connection (7.6.1), and those that this
// server sets.
bool may_trail(std::string_view name);

// Returns whole lines, without the empty one. `section`: field lines and the empty line, as
// body.hpp has accepted them. Fields that `connection` (the backend's Connection field) names are
// left out, and those that a line of `fields` has, because the route sets them.
std::string trailers_for_client(std::string_view section, std::string_view connection,
                                std::string_view fields);

// The client of this head accepts trailers (RFC 9110 10.1.4).
bool takes_trailers(std::string_view head);

}  // namespace spliced::http
