// SPDX-License-Identifier: Apache-2.0
// Makes what conn/ serves from the configuration's routes, as seam/ passes them.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "conn/request/site.hpp"
#include "engine/client_certificates.hpp"

namespace spliced::engine {

struct SiteOptions {
  std::string root;                      // directory 0
  std::vector<std::string> directories;  // 1 and following; Route::directory is the index
  std::string build;                     // part of the files' validators; empty: none
  std::vector<http::Route> routes;       // empty: one route, the files of the root
  std::vector<http::Route> own;          // the service's own, below "/.spliced/"
};

// Opens every directory. Null, with `failure` (EROOT, EROUTE), if one cannot be opened.
std::shared_ptr<const conn::Site> build_site(const SiteOptions& options, Failure& failure);

}  // namespace spliced::engine
