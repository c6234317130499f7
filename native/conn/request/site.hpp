// SPDX-License-Identifier: Apache-2.0
// What is served. A Site is the same for all engines and never changes: engine/ makes it when the
// configuration is read, and a reload replaces it as a whole. An OpenSite is one engine's: the site
// with the files that are open in its directories and the checks that are remembered, for that
// engine's thread alone. A request that
// is under way keeps the one that it began with.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "conn/request/remembered.hpp"
#include "files/file_cache.hpp"
#include "http/routes.hpp"
#include "os/fd.hpp"

namespace spliced::conn {

struct Site {
  http::Routes routes;
  http::Routes own;                 // the service's, below "/.spliced/", where `routes` have no say
  std::vector<os::Fd> directories;  // at most limits::kDirectoriesMax
  std::string build;                // of the files' validators, see file_cache.hpp
};

struct OpenSite {
  OpenSite(std::shared_ptr<const Site> of, files::Counters& counters) : site(std::move(of)) {
    for (const os::Fd& directory : site->directories)
      files.push_back(std::make_unique<files::FileCache>(directory.get(), site->build, counters));
  }

  const std::shared_ptr<const Site> site;
  std::vector<std::unique_ptr<files::FileCache>> files;  // one for each of site->directories
  RememberedChecks remembered;
};

}  // namespace spliced::conn
