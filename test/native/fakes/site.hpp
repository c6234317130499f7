// SPDX-License-Identifier: Apache-2.0
// The directory that the tests serve: created for each world, and removed with it.
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
  // Bytes that differ everywhere, so that a misplaced piece is noticed.
  static std::string content(const std::string& name, size_t bytes);
  std::string write(const std::string& name, size_t bytes);  // in place; returns the content
  void replace(const std::string& name, const std::string& content);  // by rename
  // Writes a sibling as `spliced pack` does: with the original's mtime.
  std::string write_sibling(const std::string& name, const std::string& original, size_t bytes);
  void truncate(const std::string& name, size_t bytes);

 private:
  std::string directory_;
  os::Fd root_;
};

}  // namespace spliced::fakes
