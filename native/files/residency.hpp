// SPDX-License-Identifier: Apache-2.0
// Whether a part of a file can be had without waiting for the disk. Used by the states of conn/
// that read files; what is not resident they leave to the ring's workers.
#pragma once
#include <cstddef>
#include <cstdint>

#include "files/file_cache.hpp"
#include "os/socket_io.hpp"

namespace spliced::files {

// Whether [offset, offset + bytes) is in the page cache. It looks at the last byte: read-ahead
// fills in order, so the rest is there too, or was a moment ago.
bool resident(File& file, uint64_t offset, size_t bytes);

// Reads only what is resident: WouldBlock where it is not, or where nobody can tell.
os::Moved read_resident(File& file, uint64_t offset, char* out, size_t bytes);

}  // namespace spliced::files
