// SPDX-License-Identifier: Apache-2.0
// The client's response if a backend gives none. For exchange.cpp.
#pragma once
#include "conn/services.hpp"

namespace spliced::conn {

// Any state -> Respond. A 503 says when to try again; its page for browsers does so by itself.
void respond_unavailable(Services& s, Request& r, uint16_t status, http::Method method,
                         bool wants_html);

}  // namespace spliced::conn
