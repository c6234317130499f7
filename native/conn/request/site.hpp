// SPDX-License-Identifier: Apache-2.0
// What is served. All engines share a Site, which is immutable: engine/ makes it when the
// configuration is read, and a reload replaces it as a whole. An OpenSite belongs to one engine's
// thread: the Site, the open files of its directories, and the remembered checks. A request keeps
// the one with which it began.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "conn/proxy/remembered.hpp"
#include "files/file_cache.hpp"
#include "http/routes.hpp"
#include "os/fd.hpp"

namespace spliced::conn {

struct Site {
  http::Routes routes;
  http::Routes own;  // the service's own, below "/.spliced/", which `routes` cannot change
  std::vector<os::Fd> directories;  // at most limits::kDirectoriesMax
  std::string build;                // part of the files' validators, see file_cache.hpp
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
