// SPDX-License-Identifier: Apache-2.0
// From the path of a request to the file that is sent: the file itself, then a variant of it that
// the client takes. Each step either knows its answer from the cache or lets the ring ask the disk
// and goes on when that has answered.
#pragma once
#include "conn/services.hpp"
#include "http/head.hpp"

namespace spliced::conn {

// ReadHead -> Respond, or OpenFile where the disk has to be asked. r.path is the file's.
void look_up(Services& s, Request& r, const http::RequestHead& request);

// For open_file.cpp: the ring has opened r.path (a descriptor, or a negative errno); the
// small body of `file` has been read, as far as it could be.
void resume_opened(Services& s, Request& r, int opened);
void resume_body(Services& s, Request& r, files::FilePtr file);

}  // namespace spliced::conn
