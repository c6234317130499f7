// SPDX-License-Identifier: Apache-2.0
// A request waits for the disk: for the open of a path whose directory entries are not cached, and
// for the first read of a small body. For lookup.cpp.
#pragma once
#include "conn/services.hpp"

namespace spliced::conn {

// ReadHead -> OpenFile. The ring opens r.path off the engine's thread.
void begin_open(Services& s, Request& r);

// True: the body of a small file is in memory, or the body is to be spliced. False: it is being
// read, in State::OpenFile.
bool ensure_small_body(Services& s, Request& r, const files::FilePtr& file);

}  // namespace spliced::conn
