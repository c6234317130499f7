// SPDX-License-Identifier: Apache-2.0
// Where a request waits for the disk: the open of a path that is not in the directory cache, and
// the first read of a small body. For routing.cpp.
#pragma once
#include "conn/services.hpp"

namespace spliced::conn {

// ReadHead -> OpenFile: opens r.path off the engine thread.
void begin_open(Services& s, Request& r);

// True: the body of a small file is in memory, or it is to be spliced; go on. False: it is being
// read, in State::OpenFile.
bool ensure_small_body(Services& s, Request& r, const files::FilePtr& file);

}  // namespace spliced::conn
