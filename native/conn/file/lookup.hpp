// SPDX-License-Identifier: Apache-2.0
// From the path of a request to the file that is sent: first the file, then a variant of it that
// the client accepts. A step either has its answer from the cache, or lets the ring ask the disk
// and continues with the answer.
#pragma once
#include "conn/services.hpp"
#include "http/head.hpp"

namespace spliced::conn {

// ReadHead -> Respond, or OpenFile if the disk must be read. r.path is the file's path.
void look_up(Services& s, Request& r, const http::RequestHead& request);

// For open_file.cpp: the ring has opened r.path (a descriptor, or a negative errno); the small body
// of `file` has been read, as far as possible.
void resume_opened(Services& s, Request& r, int opened);
void resume_body(Services& s, Request& r, files::FilePtr file);

}  // namespace spliced::conn
