// SPDX-License-Identifier: Apache-2.0
// See residency.hpp.
#include "files/residency.hpp"

namespace spliced::files {

os::Moved read_resident(File& file, uint64_t offset, char* out, size_t bytes) {
  if (file.residency == Residency::Told) {
    const os::Moved got = os::read_cached(file.fd.get(), offset, out, bytes);
    if (got.io != os::Io::Failed) return got;
    file.residency = os::is_in_memory(file.fd.get()) ? Residency::InMemory : Residency::Unknown;
  }
  if (file.residency == Residency::Unknown) return {os::Io::WouldBlock, 0, 0};
  return os::read_file(file.fd.get(), offset, out, bytes);
}

bool resident(File& file, uint64_t offset, size_t bytes) {
  if (file.residency == Residency::InMemory) return true;
  char last;
  return read_resident(file, offset + bytes - 1, &last, 1).io == os::Io::Done;
}

}  // namespace spliced::files
