// SPDX-License-Identifier: Apache-2.0
// What a client gets in place of a backend's response. For exchange.cpp.
#pragma once
#include "conn/services.hpp"

namespace spliced::conn {

// Any state -> Respond. 503 says when to try again; a browser's page does it by itself.
void respond_unavailable(Services& s, Request& r, uint16_t status, http::Method method,
                         bool wants_html);

}  // namespace spliced::conn
