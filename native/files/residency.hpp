// SPDX-License-Identifier: Apache-2.0
// Whether a part of a file can be read without waiting for the disk. Used by the states of conn/
// that read files; they leave to the ring's workers what is not resident.
#pragma once
#include <cstddef>
#include <cstdint>

#include "files/file_cache.hpp"
#include "os/socket_io.hpp"

namespace spliced::files {

// Whether [offset, offset + bytes) is in the page cache. Only the last byte is tested: read-ahead
// fills in order, so the rest is resident as well, or was a moment ago.
bool resident(File& file, uint64_t offset, size_t bytes);

// Reads only from the page cache. WouldBlock: not resident, or the file system cannot tell.
os::Moved read_resident(File& file, uint64_t offset, char* out, size_t bytes);

}  // namespace spliced::files
