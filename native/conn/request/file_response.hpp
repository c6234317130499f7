// SPDX-License-Identifier: Apache-2.0
// A file as an answer: conditions (RFC 9110 13), ranges (14), head and body. Called by routing.cpp
// with the file that was found.
#pragma once
#include "conn/services.hpp"
#include "http/head.hpp"

namespace spliced::conn {

void respond_file(Services& s, Request& r, const http::RequestHead& request, files::FilePtr file);

}  // namespace spliced::conn
