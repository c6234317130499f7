// SPDX-License-Identifier: Apache-2.0
// Answers with a file: conditions (RFC 9110 13), ranges (14), head and body. Called by lookup.cpp
// with the file that was found, and by routing.cpp for the canary.
#pragma once
#include "conn/services.hpp"
#include "http/head.hpp"

namespace spliced::conn {

void respond_file(Services& s, Request& r, const http::RequestHead& request, files::FilePtr file);

}  // namespace spliced::conn
