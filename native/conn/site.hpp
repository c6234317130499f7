// SPDX-License-Identifier: Apache-2.0
// What is served: the routes, and the directories with what is open in them. Made by engine/ when
// the configuration is read, replaced as a whole by a reload; a request that is under way keeps the
// one that it began with. The engine thread alone uses what is inside.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "files/file_cache.hpp"
#include "http/routes.hpp"
#include "os/fd.hpp"

namespace spliced::conn {

struct Directory {
  // `build`: of the files' validators, see file_cache.hpp.
  Directory(os::Fd directory, std::string build, files::Counters& counters)
      : fd(std::move(directory)), files(fd.get(), std::move(build), counters) {}
  os::Fd fd;
  files::FileCache files;
};

struct Site {
  http::Routes routes;
  http::Routes own;  // the service's, below "/.spliced/", where `routes` have no say
  std::vector<std::unique_ptr<Directory>> directories;  // at most limits::kDirectoriesMax
};

}  // namespace spliced::conn
