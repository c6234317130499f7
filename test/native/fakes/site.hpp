// SPDX-License-Identifier: Apache-2.0
// The directory that the tests serve: made anew for each world and removed with it.
#pragma once
#include <string>

#include "os/fd.hpp"

namespace spliced::fakes {

class Site {
 public:
  Site();
  ~Site();
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  int root() const { return root_.get(); }
  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  // Bytes that differ everywhere, so that a piece in the wrong place is seen.
  static std::string content(const std::string& name, size_t bytes);
  std::string write(const std::string& name, size_t bytes);           // in place; its content
  void replace(const std::string& name, const std::string& content);  // by rename
  // A sibling as `spliced pack` leaves it: its mtime is the original's.
  std::string write_sibling(const std::string& name, const std::string& original, size_t bytes);
  void truncate(const std::string& name, size_t bytes);

 private:
  std::string directory_;
  os::Fd root_;
};

}  // namespace spliced::fakes
